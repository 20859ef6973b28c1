"""Columns are held against each other row by row, whatever a feature may be."""

import pyarrow as pa
import pytest

from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.json_values import VALUE_TYPES
from feature_repo.training.comparison import count_different, differs

NAN = float("nan")


@pytest.mark.parametrize(
    ("feature_type", "first", "second"),
    [
        (FeatureType.FLOAT, [1.0, NAN, None, NAN, 1.0], [1.0, NAN, None, 1.0, None]),
        (FeatureType.STRING, ["a", "", None, "a", "a"], ["a", "", None, "b", None]),
        (FeatureType.VECTOR, [[0.5], [], None, [0.5, 1], []], [[0.5], [], None, [0.5], None]),
        (
            FeatureType.MAP,
            [[("a", 1.0), ("b", 2.0)], [], None, [("a", 1.0)], []],
            [[("b", 2.0), ("a", 1.0)], [], None, [("a", 2.0)], None],
        ),
    ],
)
def test_each_type(feature_type: FeatureType, first: list[object], second: list[object]) -> None:
    """Null equals null, NaN equals NaN, and the order of a map's keys means nothing."""
    columns = [pa.array(values, VALUE_TYPES[feature_type]) for values in (first, second)]
    assert differs(*columns).to_pylist() == [False, False, False, True, True]
    assert differs(columns[0][:0], columns[1][:0]).to_pylist() == []


def test_other_types_differ_everywhere() -> None:
    """And no rows differ nowhere."""
    numbers, texts = pa.chunked_array([[1.0, 2.0]]), pa.chunked_array([["1", "2"]])
    assert count_different(numbers, texts) == 2
    assert count_different(numbers, numbers) == count_different(texts[:0], texts[:0]) == 0
