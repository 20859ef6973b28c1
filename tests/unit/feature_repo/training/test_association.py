"""A column that tells the label is found; one that only helps to, or by chance, is not."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from feature_repo.training.association import (
    AUC,
    AUC_OF_PRESENCE,
    CORRELATION,
    Association,
    closest_association,
)

RANDOM = np.random.default_rng(1)
COUNT = 400
LABEL = RANDOM.integers(0, 2, COUNT)
NOISE = RANDOM.random(COUNT)
AMOUNT = RANDOM.normal(size=COUNT)


def _value(column: object, label: object) -> float:
    found = closest_association(pa.array(column), pa.array(label))
    return 0.0 if found is None else found.value


def _texts(label: Sequence[int]) -> list[str]:
    """Return texts, each of several rows, that say what the label is."""
    return [f"{'yes' if each else 'no'} {place % 20}" for place, each in enumerate(label)]


@pytest.mark.parametrize("label", [LABEL, LABEL.astype(bool), np.where(LABEL, "bought", "not")])
@pytest.mark.parametrize("column", [LABEL + NOISE, -np.exp(8 * LABEL + NOISE), LABEL.astype(bool)])
def test_numbers_that_rank_two_labels_apart(label: object, column: object) -> None:
    """However the numbers are spread, and whatever the labels are called."""
    assert closest_association(pa.array(column), pa.array(label)) == Association(AUC, 1.0, COUNT)


def test_what_only_helps_is_told_as_such() -> None:
    """Half of what tells the label, and nothing of it."""
    assert 0.6 < _value(LABEL + 3 * NOISE, LABEL) < 0.9
    assert _value(NOISE, LABEL) < 0.6


def test_numbers_go_with_numbers() -> None:
    """Rising or falling."""
    found = closest_association(pa.array(1 - 2 * AMOUNT), pa.array(AMOUNT))
    assert found is not None
    assert (found.measure, found.row_count) == (CORRELATION, COUNT)
    assert found.value == pytest.approx(-1.0)
    assert abs(_value(NOISE, AMOUNT)) < 0.3


def test_texts_that_tell_the_label() -> None:
    """As often as they come up, but not because each comes up once."""
    assert _value(_texts(LABEL.tolist()), LABEL) == 1.0
    assert _value(pa.array(_texts(LABEL.tolist())).dictionary_encode(), LABEL) == 1.0
    assert _value([f"{place}" for place in range(COUNT)], LABEL) == 0.0
    assert _value(["same"] * COUNT, LABEL) < 0.9
    prices = [f"{'dear' if each > 0 else 'cheap'}" for each in AMOUNT]
    assert 0.6 < _value(prices, AMOUNT) < 0.95


def test_pairs_of_both_labels_tell_nothing() -> None:
    """The other row of a pair always has the other label: no leak, but how the rows were drawn."""
    pairs = [f"query {place // 2}" for place in range(COUNT)]
    assert _value(pairs, [place % 2 for place in range(COUNT)]) < 0.5


def test_each_class_of_several() -> None:
    """A column that tells one class from all others, and one that names them all."""
    classes = np.array(["a", "b", "c"])[RANDOM.integers(0, 3, COUNT)]
    assert _value((classes == "b") + NOISE / 2, classes) == 1.0
    assert _value(classes, classes) == 1.0
    assert _value(NOISE, classes) < 0.7


def test_whether_there_is_a_value() -> None:
    """What is missing whenever the label is 1 tells as much as a number would."""
    for column in (pa.array(np.where(LABEL, np.nan, NOISE)), pa.array(NOISE, mask=LABEL == 1)):
        found = closest_association(column, pa.array(LABEL))
        assert found == Association(AUC_OF_PRESENCE, 1.0, COUNT)
    vectors = pa.array([None if each else [0.5] for each in LABEL], pa.list_(pa.float32()))
    assert closest_association(vectors, pa.array(LABEL)) is not None


@pytest.mark.parametrize(
    ("column", "label"),
    [
        ([0.1, 0.2, 0.9], [0, 0, 1]),  # one in three draws looks like this
        ([0.1, 0.2, 0.3, 0.4, 0.5], [1.0, 2.0, 3.0, 4.0, 5.0]),
        ([0.5] * 20, [0, 1] * 10),
        ([1.0, 2.0] * 10, [1] * 20),
        ([1.0, 2.0] * 10, [None] * 20),
        ([None] * 20, [0, 1] * 10),
        ([], []),
        ([[0.5], [0.7]] * 10, [0, 1] * 10),
    ],
)
def test_what_tells_nothing(column: list[object], label: list[object]) -> None:
    """Few rows, one value, no value, and types that have no order."""
    assert closest_association(pa.array(column), pa.array(label)) is None


def test_rows_without_a_label_do_not_count() -> None:
    """Nor do numbers that are none."""
    label = pa.array([*LABEL.tolist(), None, None], pa.float64())
    column = pa.array([*(LABEL + NOISE / 2), -5.0, float("inf")])
    assert closest_association(column, label) == Association(AUC, 1.0, COUNT)
