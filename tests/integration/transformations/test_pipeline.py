"""A run publishes gated values to both stores, once, and leaves a record."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis

from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.errors import JobAlreadyRunning, QualityGateFailed, StoreUnavailable
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.transformations.conftest import AS_OF
from transformations import pipeline, runs
from transformations.jobs import Job


def _rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with connect(settings) as connection:
        return connection.execute(query.encode()).fetchall()


def _run(
    settings: Settings, feature: FeatureVersion, *, as_of: datetime | None = None
) -> runs.RunReport:
    by_reference = {f.reference: f for f in gather_features()}
    dependencies = tuple(by_reference[reference] for reference in feature.dependencies)
    for known in dependencies:
        pipeline.run(settings, Job((known,), ()), as_of=as_of)
    [report] = pipeline.run(settings, Job((feature,), dependencies), as_of=as_of)
    return report


def test_values_reach_both_stores(
    shop: Settings, valkey: redis.Redis, popularity: FeatureVersion
) -> None:
    """Latest, history and Redis hold the same values under escaped ids."""
    recent = clock.now() - timedelta(seconds=1)
    with connect(shop) as connection:
        connection.execute("UPDATE events SET event_timestamp = %s", (recent,))
    report = _run(shop, popularity)
    assert report.row_count == 4
    latest = _rows(shop, "SELECT entity_id, feature_value FROM feature_latest ORDER BY 1")
    assert latest == _rows(shop, "SELECT entity_id, feature_value FROM feature_values ORDER BY 1")
    assert [entity_id for entity_id, _ in latest] == [f"p%3A{n}" for n in range(4)]
    for entity_id, value in latest:
        stored = valkey.get(f"feature:popularity_score:{entity_id}:v1.0.0")
        assert isinstance(stored, bytes)
        assert json.loads(stored) == value
    assert dict(latest)["p%3A3"] == 0.1  # never bought


def test_maps_are_stored_as_objects(shop: Settings, affinity: FeatureVersion) -> None:
    """A map feature's value is a JSON object of its categories."""
    _run(shop, affinity, as_of=AS_OF)
    values = dict(
        _rows(
            shop,
            "SELECT entity_id, feature_value FROM feature_latest "
            "WHERE feature_name = 'user_category_affinity'",
        )
    )
    assert set(values) == {"u0", "u1"}
    assert max(values["u0"].values()) == 1
    assert set(values["u0"]) == {"books", "toys"}


def test_an_instant_of_the_past_is_not_served(
    shop: Settings, valkey: redis.Redis, popularity: FeatureVersion
) -> None:
    """Values that are stale already go to PostgreSQL only."""
    report = _run(shop, popularity, as_of=AS_OF)
    assert report.latest_row_count == 4
    assert report.online_row_count == 0
    assert valkey.dbsize() == 0


def test_running_again_changes_nothing(shop: Settings, popularity: FeatureVersion) -> None:
    """The same instant gives the same rows, untouched even in their creation time."""
    everything = "SELECT * FROM feature_latest UNION ALL SELECT * FROM feature_values ORDER BY 1, 6"
    _run(shop, popularity, as_of=AS_OF)
    before = _rows(shop, everything)
    report = _run(shop, popularity, as_of=AS_OF)
    assert (report.latest_row_count, report.history_row_count) == (0, 0)
    assert _rows(shop, everything) == before


def test_late_events_correct_the_same_instant(shop: Settings, popularity: FeatureVersion) -> None:
    """A re-run after late events replaces the values of its instant, in both tables."""
    _run(shop, popularity, as_of=AS_OF)
    with connect(shop) as connection:
        connection.execute("UPDATE events SET product_id = 'p:3' WHERE product_id = 'p:0'")
    report = _run(shop, popularity, as_of=AS_OF)
    assert report.latest_row_count >= 2
    assert report.history_row_count == report.latest_row_count


def test_an_older_instant_does_not_replace_a_newer_one(
    shop: Settings, popularity: FeatureVersion
) -> None:
    """A backdated run fills the history and leaves the latest values."""
    _run(shop, popularity, as_of=AS_OF)
    report = _run(shop, popularity, as_of=AS_OF - timedelta(hours=2))
    assert report.latest_row_count == 0
    assert report.history_row_count == 4


def test_the_history_grows_once_an_interval(shop: Settings, popularity: FeatureVersion) -> None:
    """Of several runs in an hour only the first is part of the history."""
    minutes = [0, 5, 59, 60]
    reports = [
        _run(shop, popularity, as_of=AS_OF + timedelta(minutes=minute)) for minute in minutes
    ]
    assert [report.history_row_count for report in reports] == [4, None, None, 4]


def test_only_events_up_to_the_instant_count(shop: Settings, popularity: FeatureVersion) -> None:
    """Events after `as_of` don't change its values."""
    _run(shop, popularity, as_of=AS_OF - timedelta(hours=10))
    before = _rows(shop, "SELECT * FROM feature_values ORDER BY 1")
    with connect(shop) as connection:
        connection.execute(
            "DELETE FROM events WHERE event_timestamp > %s", (AS_OF - timedelta(hours=10),)
        )
    report = _run(shop, popularity, as_of=AS_OF - timedelta(hours=10))
    assert report.history_row_count == 0
    assert _rows(shop, "SELECT * FROM feature_values ORDER BY 1") == before


def test_old_events_stop_a_live_run(shop: Settings, popularity: FeatureVersion) -> None:
    """Without fresh events nothing is computed; the record says which check failed."""
    with pytest.raises(QualityGateFailed, match="age_seconds at most 300"):
        _run(shop, popularity)
    assert _rows(shop, "SELECT count(*) FROM feature_latest") == [(0,)]
    [(status, checks)] = _rows(shop, "SELECT status, checks FROM computation_runs")
    assert status == "failed"
    assert [c["check_type"] for c in checks if not c["success"]] == ["freshness"]


def test_an_empty_table_stops_a_run(shop: Settings, popularity: FeatureVersion) -> None:
    """No events at all is a failure of the input, not a shop without interest."""
    with connect(shop) as connection:
        connection.execute("TRUNCATE events")
    with pytest.raises(QualityGateFailed, match="row_count at least 1"):
        _run(shop, popularity, as_of=AS_OF)


def test_values_out_of_range_are_not_published(shop: Settings, popularity: FeatureVersion) -> None:
    """A failed output check keeps the previous values and records samples."""
    _run(shop, popularity, as_of=AS_OF - timedelta(days=1))
    before = _rows(shop, "SELECT * FROM feature_latest ORDER BY 1")
    narrow = popularity.model_copy(update={"valid_range": (0.0, 0.5)})
    with pytest.raises(
        QualityGateFailed,
        match=r"feature_value at least 0 and at most 0\.5; 3 of 4 rows fail",
    ):
        _run(shop, narrow, as_of=AS_OF)
    assert _rows(shop, "SELECT * FROM feature_latest ORDER BY 1") == before
    [(checks,)] = _rows(shop, "SELECT checks FROM computation_runs WHERE status = 'failed'")
    [failed] = [check for check in checks if not check["success"]]
    assert failed["check_type"] == "range"
    assert {"row": "p%3A1", "value": 1.0} in failed["samples"]


def test_half_the_rows_missing_is_refused(shop: Settings, popularity: FeatureVersion) -> None:
    """A run must give at least half the rows of the last good run before it."""
    _run(shop, popularity, as_of=AS_OF - timedelta(days=1))
    with connect(shop) as connection:
        connection.execute("DELETE FROM products WHERE product_id > 'p:0'")
    with pytest.raises(QualityGateFailed, match="row count at least 2; found 1"):
        _run(shop, popularity, as_of=AS_OF)


def test_two_runs_for_an_instant_exclude_each_other(
    shop: Settings, popularity: FeatureVersion
) -> None:
    """While one holds the lock another is refused; other instants can be computed beside it."""
    job = Job((popularity,), ())
    with (
        connect(shop, autocommit=True) as connection,
        runs.job_lock(connection, job, backfill_of=AS_OF),
    ):
        with pytest.raises(JobAlreadyRunning):
            pipeline.run(shop, job, as_of=AS_OF)
        pipeline.run(shop, job, as_of=AS_OF - timedelta(days=1))
    pipeline.run(shop, job, as_of=AS_OF)


def test_two_runs_for_now_exclude_each_other(shop: Settings, popularity: FeatureVersion) -> None:
    """A job that runs at its schedule is not started twice."""
    job = Job((popularity,), ())
    with (
        connect(shop, autocommit=True) as connection,
        runs.job_lock(connection, job),
        pytest.raises(JobAlreadyRunning, match="being computed by another process"),
    ):
        pipeline.run(shop, job)


def test_a_dead_redis_fails_the_run_and_keeps_the_values(
    shop: Settings, popularity: FeatureVersion
) -> None:
    """PostgreSQL has the values, the record says failed, and a retry mends it."""
    unreachable = Settings.model_validate({**shop.model_dump(), "redis_url": "redis://127.0.0.1:1"})
    recent = clock.now() - timedelta(seconds=1)
    with connect(shop) as connection:
        connection.execute("UPDATE events SET event_timestamp = %s", (recent,))
    with pytest.raises(StoreUnavailable):
        _run(unreachable, popularity)
    assert _rows(shop, "SELECT count(*) FROM feature_latest") == [(4,)]
    assert _rows(shop, "SELECT status FROM computation_runs") == [("failed",)]
    assert _run(shop, popularity).online_row_count == 4


def test_a_run_that_was_cut_off_is_recorded_as_failed(
    shop: Settings, popularity: FeatureVersion
) -> None:
    """The next run finds the record of a killed one, and closes it."""
    with connect(shop) as connection:
        connection.execute(
            """
            INSERT INTO computation_runs
                (run_id, job_name, feature_name, version, engine, as_of, backfill, started_at,
                 status, code_fingerprint)
            VALUES (gen_random_uuid(), 'popularity_score==1.0.0', 'popularity_score', '1.0.0',
                    'postgres', %s, true, now(), 'running', '')
            """,
            (AS_OF,),
        )
    _run(shop, popularity, as_of=AS_OF)
    statuses = _rows(shop, "SELECT status, error FROM computation_runs ORDER BY started_at")
    assert sorted(statuses, key=str) == [("failed", "interrupted"), ("succeeded", None)]
