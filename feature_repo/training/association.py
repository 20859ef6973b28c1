"""Does a column tell the label? What does so almost perfectly is the label, or was made of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import mannwhitneyu

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

CORRELATION = "correlation"
AUC = "AUC"
AUC_OF_PRESENCE = "AUC of whether there is a value"

# What chance alone does once in a thousand columns tells nothing.
_LEAST_CHANCE = 0.001
# Of fewer rows chance alone gives a correlation of 0.99 more often.
_FEWEST_ROWS = 6
# A label of more texts is no class to be predicted.
_MOST_CLASSES = 20


@dataclass(frozen=True)
class Association:
    """
    How closely a column goes with a label.

    Attributes:
        measure: Pearson's correlation, or the area under the ROC curve, of the column alone.
        value: -1 to 1, or 0 to 1; of numbers' areas the one that is above 0.5, read either way.
        row_count: Of how many rows.
    """

    measure: str
    value: float
    row_count: int


def closest_association(column: pa.Array, label: pa.Array) -> Association | None:
    """
    Return how a column goes with a label, by what shows it best.

    A label of two values is told by a column that ranks them apart (AUC), as is each class of a
    label of several texts; a label of numbers by one that rises or falls with it (correlation). A
    column of texts counts by what the label is on average in *other* rows of the same text. Whether
    there is a value at all may tell the label, too.

    Args:
        column: Numbers, booleans or texts; of others it only counts where they are null.
        label: The same; a null is left out.

    Returns:
        None if the types tell nothing, or chance alone could show as much.
    """
    column, label = _plain(column), _plain(label)
    column, label = column.filter(label.is_valid()), label.drop_null()
    found = [each for target in _targets(label) for each in _associations(column, target)]
    return max(found, key=lambda each: abs(each.value), default=None)


def _associations(column: pa.Array, target: Numbers) -> Iterator[Association]:
    is_binary = bool(np.isin(target, (0.0, 1.0)).all())
    if is_binary and column.null_count:
        presence = column.is_valid().to_numpy(zero_copy_only=False).astype(float)
        yield from _area(presence, target, AUC_OF_PRESENCE, either_way=True)
    is_text = pa.types.is_string(column.type)
    if not (is_text or _is_number(column.type)):
        return
    numbers = _means_elsewhere(column, target) if is_text else _as_numbers(column)
    told = np.isfinite(numbers) & np.isfinite(target)
    if is_binary:
        yield from _area(numbers[told], target[told], AUC, either_way=not is_text)
    else:
        yield from _correlation(numbers[told], target[told])


def _area(
    numbers: Numbers, target: Numbers, measure: str, *, either_way: bool
) -> Iterator[Association]:
    ones, zeros = numbers[target == 1], numbers[target == 0]
    if not (len(ones) and len(zeros)) or numbers.min() == numbers.max():
        return
    statistic, chance = mannwhitneyu(ones, zeros, method="asymptotic")
    if chance < _LEAST_CHANCE:
        area = float(statistic) / (len(ones) * len(zeros))
        yield Association(measure, max(area, 1 - area) if either_way else area, len(numbers))


def _correlation(numbers: Numbers, target: Numbers) -> Iterator[Association]:
    if len(numbers) < _FEWEST_ROWS or any(x.min() == x.max() for x in (numbers, target)):
        return
    covariance = ((numbers - numbers.mean()) * (target - target.mean())).mean()
    correlation = float(covariance / (numbers.std() * target.std()))
    yield Association(CORRELATION, correlation, len(numbers))


def _targets(label: pa.Array) -> Iterator[Numbers]:
    """Yield what is to be told: numbers, or 1 and 0."""
    distinct = pc.unique(label)
    if len(distinct) == 2:  # noqa: PLR2004 - which of the two is 1 makes no difference
        yield _is(label, distinct[1])
    elif _is_number(label.type):
        yield _as_numbers(label)
    elif pa.types.is_string(label.type) and 2 < len(distinct) <= _MOST_CLASSES:  # noqa: PLR2004
        for each in distinct:
            yield _is(label, each)


def _is(label: pa.Array, value: pa.Scalar) -> Numbers:
    return _as_numbers(pc.equal(label, value))


def _as_numbers(column: pa.Array) -> Numbers:
    numbers: Numbers = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _means_elsewhere(texts: pa.Array, target: Numbers) -> Numbers:
    """
    Return of each row what the target is on average where the text comes up in the other half.

    In its own half the row would count itself, and a text that comes up once would tell everything.
    """
    encoded = texts.dictionary_encode()
    none = len(encoded.dictionary)
    codes = encoded.indices.fill_null(none).to_numpy()
    means = np.full(len(codes), np.nan)
    second: Flags = np.random.default_rng(0).permutation(len(codes)) % 2 == 0
    for here, there in ((second, ~second), (~second, second)):
        counts = np.bincount(codes[there], minlength=none + 1)
        sums = np.bincount(codes[there], target[there], minlength=none + 1)
        of_text = np.divide(sums, counts, out=np.full(none + 1, np.nan), where=counts > 0)
        of_text[none] = np.nan
        means[here] = of_text[codes[here]]
    return means


def _plain(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column.cast(pa.string()) if pa.types.is_large_string(column.type) else column


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )
