"""How far two versions of a feature differ; pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from feature_repo.registry.metadata import FeatureType, FeatureVersion
from transformations.computations.stability import stability_index

_INTERVALS = 10
# Of fewer, chance alone makes an index that looks like a shift.
_ENOUGH_VALUES = 1_000
# So that the index follows the values of late; older ones weigh less.
_MOST_VALUES = 100_000

Range = tuple[float, float]
Text = bytes | None


@dataclass(frozen=True)
class Comparison:
    """
    The values of two versions for the same entities.

    Attributes:
        differences: Of each entity that has both values: between two numbers, what is between them;
            between two maps or vectors, the mean of what is between their items, of which a map
            without one has 0; between two texts, 0 or 1.
        served_only: How many entities have a value of the served version only.
        candidate_only: The same of the candidate.
        numbers: Of a float, served values and candidate values of entities that have both.
    """

    differences: Sequence[float]
    served_only: int
    candidate_only: int
    numbers: tuple[Sequence[float], Sequence[float]] = ((), ())


def are_comparable(served: FeatureVersion, candidate: FeatureVersion) -> bool:
    """Tell whether two versions have values of one type, for the same entities."""
    return (
        served.feature_type is candidate.feature_type
        and served.join_keys == candidate.join_keys
        and served.vector_length == candidate.vector_length
    )


def compare(
    feature_type: FeatureType, served: Sequence[Text], candidate: Sequence[Text]
) -> Comparison:
    """
    Compare values.

    Args:
        feature_type: Of both versions.
        served: JSON texts, None where there is no value.
        candidate: The same of the candidate, entity by entity.

    Raises:
        ValueError: A value is not of that type.
    """
    pairs = list(zip(served, candidate, strict=True))
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    ours, theirs = (_decoded(texts) for texts in (list(zip(*both, strict=True)) or ((), ())))
    difference = _DIFFERENCES[feature_type]
    try:
        differences = [difference(a, b) for a, b in zip(ours, theirs, strict=True)]
    except (TypeError, AttributeError) as error:
        raise ValueError(f"a value is no {feature_type}") from error
    return Comparison(
        differences,
        served_only=sum(a is not None and b is None for a, b in pairs),
        candidate_only=sum(a is None and b is not None for a, b in pairs),
        numbers=(ours, theirs) if feature_type is FeatureType.FLOAT else ((), ()),
    )


def joint_range(served: FeatureVersion, candidate: FeatureVersion) -> Range | None:
    """Return where values of both versions lie; None if one of them has no valid range."""
    if served.valid_range is None or candidate.valid_range is None:
        return None
    lows, highs = zip(served.valid_range, candidate.valid_range, strict=True)
    return min(lows), max(highs)


class PairedHistogram:
    """
    How the values of two versions are spread over equal parts of a range.

    Args:
        within: The range.
    """

    def __init__(self, within: Range) -> None:
        self._within = within
        self._counts = np.zeros((2, _INTERVALS))

    def add(self, numbers: tuple[Sequence[float], Sequence[float]]) -> None:
        """Count served values and candidate values; those beyond the range count as its ends."""
        clipped = [np.clip(np.asarray(values, np.float64), *self._within) for values in numbers]
        self._counts += [np.histogram(v, _INTERVALS, self._within)[0] for v in clipped]
        if self._counts.sum(axis=1).max() > _MOST_VALUES:
            self._counts /= 2

    def stability_index(self) -> float | None:
        """Return the population stability index; None if there are too few values to tell."""
        if self._counts.sum(axis=1).min() < _ENOUGH_VALUES:
            return None
        served, candidate = self._counts.tolist()
        return stability_index(served, candidate)


def _decoded(texts: Sequence[bytes]) -> list[Any]:
    values: list[Any] = orjson.loads(b"[%b]" % b",".join(texts))
    return values


def _between_numbers(a: float, b: float) -> float:
    return abs(a - b)


def _between_texts(a: str, b: str) -> float:
    return float(a != b)


def _between_vectors(a: Sequence[float], b: Sequence[float]) -> float:
    return _mean([abs(x - y) for x, y in zip(a, b, strict=True)])


def _between_maps(a: dict[str, float], b: dict[str, float]) -> float:
    return _mean([abs(a.get(name, 0.0) - b.get(name, 0.0)) for name in a.keys() | b.keys()])


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


_DIFFERENCES: dict[FeatureType, Callable[..., float]] = {
    FeatureType.FLOAT: _between_numbers,
    FeatureType.STRING: _between_texts,
    FeatureType.VECTOR: _between_vectors,
    FeatureType.MAP: _between_maps,
}
