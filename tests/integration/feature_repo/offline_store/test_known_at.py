"""What was known, and when: late values and corrections."""

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureStore

from feature_repo.history.entity_rows import INSTANT
from feature_repo.history.terms import as_known_at
from feature_repo.stores.offline_values import append_values
from foundation.errors import ContractViolation
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from tests.histories import Written, store
from tests.integration.feature_repo.offline_store.asking import (
    AT,
    FEATURES,
    HOUR,
    POPULARITY,
    write,
)


def test_late_values(feast_store: FeatureStore, postgres: Connection) -> None:
    """What was written after an instant is left out when asked for, corrections too."""
    feature = FEATURES["popularity_score==1.0.0"]
    store(
        postgres,
        feature,
        [
            Written("a", AT - HOUR, AT - HOUR, 0.1),
            Written("a", AT, AT + HOUR, 0.2, replaced=AT + 5 * HOUR),
            Written("a", AT, AT + 5 * HOUR, 0.3),
        ],
    )
    frame = pd.DataFrame({"product_id": ["a"], "event_timestamp": [AT]})

    def value(**options: Any) -> float:  # noqa: ANN401
        job = feast_store.get_historical_features(entity_df=frame, features=[POPULARITY], **options)
        return float(job.to_df()["popularity_score"][0])

    assert value() == 0.3
    assert value(filter_by_created_timestamp=True) == 0.1
    for known_at, expected in ((AT, 0.1), (AT + HOUR, 0.2), (AT + 5 * HOUR, 0.3)):
        with as_known_at(known_at):
            assert value() == expected
    with pytest.raises(ContractViolation, match="no time zone"), as_known_at(datetime(2026, 6, 1)):  # noqa: DTZ001
        pass


def _known_at(feast_store: FeatureStore, instant: datetime) -> Any:  # noqa: ANN401
    frame = pd.DataFrame({"product_id": ["a"], "event_timestamp": [AT]})
    with as_known_at(instant):
        job = feast_store.get_historical_features(entity_df=frame, features=[POPULARITY])
    (value,) = job.to_arrow()["popularity_score"].to_pylist()
    return value


def _now(postgres: Connection) -> datetime:
    (row,) = postgres.execute("SELECT clock_timestamp()").fetchall()
    instant: datetime = row[0]
    return instant


def _append(connection: Connection, value: float) -> None:
    rows = {"entity_id": ["a"], "feature_value": [str(value)], "timestamp": pa.array([AT], INSTANT)}
    append_values(connection, FEATURES["popularity_score==1.0.0"], pa.table(rows))


def test_a_correction_is_remembered(feast_store: FeatureStore, postgres: Connection) -> None:
    """The history keeps what it said before, without anybody's help, and by its own clock."""
    write(postgres, "popularity_score==1.0.0", ("a", 0.1, AT))
    corrections = [
        postgres.execute(
            "UPDATE feature_values SET feature_value = %s, created_at = %s RETURNING created_at",
            (value, AT),
        ).fetchall()[0][0]
        for value in ("0.2", "0.3")
    ]
    postgres.commit()
    for (instant, before), value in zip(
        zip(corrections, (0.1, 0.2), strict=True), (0.2, 0.3), strict=True
    ):
        assert _known_at(feast_store, instant - timedelta(microseconds=1)) == before
        assert _known_at(feast_store, instant) == value


def test_writers_that_overlap(
    feast_store: FeatureStore, postgres: Connection, settings: Settings
) -> None:
    """What is written counts from when it is, whoever's transaction began first."""
    with connect(settings) as first:
        first.execute("SELECT")  # begins
        before = _now(postgres)
        with connect(settings) as second:
            _append(second, 0.2)
        between = _now(postgres)
        _append(first, 0.1)
    after = _now(postgres)
    known = [_known_at(feast_store, instant) for instant in (before, between, after)]
    assert known == [None, 0.2, 0.1]
