"""Values of every feature type as columns of numbers and counts of keys, which can be compared."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo.registry.metadata import FeatureType
from transformations.drift.statistics import Numbers

_AXES = 8
_KEYS_LOOKED_INTO = 12
# So that a measurement can be repeated.
_SEED = 20_261_123


@dataclass(frozen=True)
class Columns:
    """
    What is compared of a sample.

    Attributes:
        count: Entities.
        null_count: Those without a value; of a vector or number, with one that is not finite, too.
        numbers: Samples by name, each at most one number an entity, so that they are independent.
        keys: In how many entities each map key, or string, is; None of numbers and vectors.
    """

    count: int
    null_count: int
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    keys: Mapping[str, int] | None = None

    @property
    def value_count(self) -> int:
        """Entities that have a value."""
        return self.count - self.null_count


def paired_columns(
    reference: pa.Array, current: pa.Array, feature_type: FeatureType
) -> tuple[Columns, Columns]:
    """
    Return the columns of two samples of values; what is chosen is chosen from both together.

    A number is a column. A string has none, but keys. A map has its number of items, one item drawn
    from each entity, and the items of the most common keys. A vector has its length, and where it
    lies along the principal axes of both samples.
    """
    match feature_type:
        case FeatureType.FLOAT:
            return _float_columns(reference), _float_columns(current)
        case FeatureType.STRING:
            return _string_columns(reference), _string_columns(current)
        case FeatureType.MAP:
            chosen = _common_keys(reference, current)
            return _map_columns(reference, chosen), _map_columns(current, chosen)
        case FeatureType.VECTOR:
            return _vector_columns(reference, current)


def principal_axes(vectors: Numbers, *, count: int) -> tuple[Numbers, Numbers]:
    """Return the centre of vectors, and the directions in which they vary most, one a row."""
    centre = vectors.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(vectors - centre, rowvar=False).reshape(2 * centre.shape))
    return centre, directions.T[::-1][:count]


def matrix(values: pa.Array) -> Numbers:
    """Return the finite vectors among values, one a row; those of another length are left out."""
    values = pa.concat_arrays([values.drop_null()])
    lengths = np.diff(values.offsets.to_numpy())
    if lengths.size == 0:
        return np.empty((0, 0))
    usual = int(np.bincount(lengths).argmax())
    flat = values.flatten().to_numpy(zero_copy_only=False).astype(float)
    rows = flat[np.repeat(lengths == usual, lengths)].reshape(-1, usual)
    finite: Numbers = rows[np.isfinite(rows).all(axis=1)]
    return finite


def _float_columns(values: pa.Array) -> Columns:
    numbers = values.to_numpy(zero_copy_only=False).astype(float)
    finite = numbers[np.isfinite(numbers)]
    return Columns(numbers.size, numbers.size - finite.size, {"value": finite})


def _string_columns(values: pa.Array) -> Columns:
    counted = pc.value_counts(values.drop_null()).to_pylist()
    keys = {entry["values"]: int(entry["counts"]) for entry in counted}
    return Columns(len(values), values.null_count, keys=keys)


def _common_keys(reference: pa.Array, current: pa.Array) -> list[str]:
    counts = Counter(_entity_counts(reference))
    counts.update(_entity_counts(current))
    return [key for key, _ in counts.most_common(_KEYS_LOOKED_INTO)]


def _entity_counts(values: pa.Array) -> dict[str, int]:
    # A key is at most once in a map, so items are entities.
    keys = pa.concat_arrays([values.drop_null()]).keys
    return {entry["values"]: int(entry["counts"]) for entry in pc.value_counts(keys).to_pylist()}


def _map_columns(values: pa.Array, chosen: list[str]) -> Columns:
    present = pa.concat_arrays([values.drop_null()])
    lengths = np.diff(present.offsets.to_numpy())
    items = present.items.to_numpy(zero_copy_only=False).astype(float)
    keys = present.keys.to_numpy(zero_copy_only=False)
    numbers = {"size": lengths.astype(float), "item": _finite(items[_drawn(lengths)])}
    numbers |= {f"item of {key}": _finite(items[keys == key]) for key in chosen}
    return Columns(len(values), values.null_count, numbers, _entity_counts(values))


def _drawn(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of one item of each map that has any."""
    starts = np.cumsum(lengths) - lengths
    some = lengths > 0
    chances = np.random.default_rng(_SEED).random(int(some.sum()))
    positions: NDArray[np.int64] = starts[some] + (chances * lengths[some]).astype(np.int64)
    return positions


def _vector_columns(reference: pa.Array, current: pa.Array) -> tuple[Columns, Columns]:
    samples = matrix(reference), matrix(current)
    numbers: tuple[dict[str, Numbers], dict[str, Numbers]] = {}, {}
    if samples[0].size and samples[0].shape[1] == samples[1].shape[-1]:
        centre, axes = principal_axes(np.concatenate(samples), count=_AXES)
        for found, rows in zip(numbers, samples, strict=True):
            found["length"] = np.linalg.norm(rows, axis=1)
            along = (rows - centre) @ axes.T
            found.update({f"axis {n}": along[:, n - 1] for n in range(1, len(axes) + 1)})
    before, now = (
        Columns(len(values), len(values) - len(rows), found)
        for values, rows, found in zip((reference, current), samples, numbers, strict=True)
    )
    return before, now


def _finite(numbers: Numbers) -> Numbers:
    finite: Numbers = numbers[np.isfinite(numbers)]
    return finite
