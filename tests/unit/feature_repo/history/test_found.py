"""Stored values at the places that were found for rows."""

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from feature_repo.history.entity_rows import INSTANT
from feature_repo.history.found import known_values
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureType, FeatureVersion

FEATURES = {feature.reference: feature for feature in gather_features()}
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def _candidates(*chunks: pa.Array) -> pa.Table:
    values = pa.chunked_array(chunks)
    return pa.table(
        {"value": values, "timestamp": pa.repeat(pa.scalar(NOON, INSTANT), len(values))}
    )


def _feature(feature_type: FeatureType) -> FeatureVersion:
    return FEATURES["popularity_score==1.0.0"].model_copy(update={"feature_type": feature_type})


@pytest.mark.parametrize(
    ("feature_type", "stored", "values"),
    [
        (FeatureType.FLOAT, [0.5, None, 0.25], [0.5, None, 0.25]),
        (FeatureType.STRING, ["a", None, "null"], ["a", None, "null"]),
        (FeatureType.VECTOR, ["[0.5, 1]", "null", "[2]"], [[0.5, 1.0], None, [2.0]]),
        (FeatureType.VECTOR, ["[]", "null", "[2]"], [[], None, [2.0]]),
        (FeatureType.MAP, ['{"a": 0.5}', "null", "{}"], [[("a", 0.5)], None, []]),
    ],
)
def test_values_of_every_type(
    feature_type: FeatureType, stored: list[Any], values: list[Any]
) -> None:
    """At the places of rows, some more than once; nulls are no values, but were found."""
    chunks = [pa.array(stored[:1]), pa.array(stored[1:], pa.array(stored).type)]
    places = pa.array([2, None, 1, 0, 2], pa.int64())
    known = known_values(_feature(feature_type), _candidates(*chunks), places)
    assert known.column.to_pylist() == [values[2], None, values[1], values[0], values[2]]
    assert known.timestamps.to_pylist() == [NOON, None, NOON, NOON, NOON]


@pytest.mark.parametrize("feature_type", list(FeatureType))
def test_nothing_was_found(feature_type: FeatureType) -> None:
    """The column is of the feature's type still."""
    stored = pa.array([], pa.float64() if feature_type is FeatureType.FLOAT else pa.string())
    known = known_values(_feature(feature_type), _candidates(stored), pa.nulls(2, pa.int64()))
    assert known.column.to_pylist() == [None, None]


def test_more_text_than_one_array_holds() -> None:
    """Of several gigabytes, the few that are needed are taken."""
    text = json.dumps([0.5] * 384)
    chunk = pa.array([text] * 20_000)
    chunks = [chunk] * (2**31 // chunk.nbytes + 2)
    candidates = _candidates(*chunks)
    places = pa.array([0, candidates.num_rows - 1])
    known = known_values(_feature(FeatureType.VECTOR), candidates, places)
    assert known.column.to_pylist() == [[0.5] * 384] * 2
