"""A backfill computes the past, goes on where it was cut off, and disturbs nothing newer."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import redis

from feature_repo.registry.gather import gather_features
from foundation import clock
from foundation.errors import ConfigurationError, ContractViolation
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.transformations.conftest import AS_OF
from transformations import pipeline
from transformations.archives.storage import Archive
from transformations.backfill import (
    BackfillReport,
    Plan,
    backfill,
    instants_between,
    read_entity_ids,
)
from transformations.jobs import Job, jobs_of
from transformations.pipeline import Options
from transformations.retention import archive_months

DAY = timedelta(days=1)
INSTANTS = instants_between(AS_OF - DAY, AS_OF, step=DAY / 2)
JOBS = {job.name: job for job in jobs_of(gather_features())}
ACTIVITY = JOBS["user_activity_level==1.0.0"]
AFFINITY = [JOBS["category_popularity==1.0.0"], JOBS["user_category_affinity==1.0.0"]]


def _backfill(
    settings: Settings,
    jobs: Sequence[Job],
    instants: Sequence[datetime] = INSTANTS,
    *,
    entity_ids: pa.Array | None = None,
) -> BackfillReport:
    return backfill(
        settings,
        Plan(jobs, instants, entity_ids),
        options=Options(),
        parallel=2,
        on_progress=lambda _at, _count: None,
    )


def _rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with connect(settings) as connection:
        return connection.execute(query.encode()).fetchall()


HISTORY = """
SELECT feature_name, entity_id, feature_value, "timestamp" FROM feature_values ORDER BY 1, 2, 4
"""


def test_each_instant_is_as_if_it_had_been_computed_then(shop: Settings) -> None:
    """Dependencies come from the same instant; a second call has nothing to do."""
    report = _backfill(shop, AFFINITY)
    assert (len(report.outcomes), report.failed, report.already_done) == (6, [], 0)
    backfilled = _rows(shop, HISTORY)
    again = _backfill(shop, AFFINITY)
    assert (len(again.outcomes), again.already_done) == (0, 6)
    with connect(shop) as connection:
        connection.execute("TRUNCATE feature_values, feature_latest, computation_runs")
    for at in INSTANTS:
        for job in AFFINITY:
            pipeline.run(shop, job, as_of=at, options=Options(append_history=True))
    assert _rows(shop, HISTORY) == backfilled


def test_a_dropped_month_is_backfilled_as_before(shop: Settings, tmp_path: Path) -> None:
    """What is computed from stored values finds them in the archive, and hides none of them."""
    archiving = shop.model_copy(update={"snapshot_url": tmp_path.as_uri()})
    dependency, dependent = AFFINITY
    _backfill(archiving, [dependency])
    with connect(shop) as connection:  # what a run of now would have left is no help
        connection.execute("TRUNCATE feature_latest")
    _backfill(archiving, [dependent])
    expected = _rows(shop, HISTORY)
    with connect(shop) as connection:
        connection.execute(
            "DELETE FROM feature_values WHERE feature_name = %s", (dependent.leader.feature_name,)
        )
        connection.execute("TRUNCATE feature_latest, computation_runs")
    later = AS_OF + timedelta(days=300)
    archive_months(archiving, Archive.open(archiving), now=later, dry_run=False)
    assert _rows(shop, HISTORY) == []
    _backfill(archiving, [dependent])
    assert _rows(shop, HISTORY) == [row for row in expected if row[0] == "user_category_affinity"]


def test_a_backfill_goes_on_where_it_was_cut_off(shop: Settings) -> None:
    """What has been computed by the same code is left alone; other code computes it again."""
    _backfill(shop, [ACTIVITY], INSTANTS[:1])
    report = _backfill(shop, [ACTIVITY])
    assert (len(report.outcomes), report.already_done) == (2, 1)
    [feature] = ACTIVITY.features
    other = feature.model_copy(update={"parameters": {"window_days": 7.0}})
    assert len(_backfill(shop, [Job((other,), ())]).outcomes) == 3


def test_fresher_values_are_not_disturbed(shop: Settings, valkey: redis.Redis) -> None:
    """Neither in Redis nor among the latest values."""
    with connect(shop) as connection:
        newest = AS_OF - timedelta(hours=1)
        shift = clock.now() - timedelta(seconds=1) - newest
        connection.execute("UPDATE events SET event_timestamp = event_timestamp + %s", (shift,))
        connection.execute("UPDATE users SET created_at = created_at + %s", (shift,))
    pipeline.run(shop, ACTIVITY)
    served = _rows(shop, "SELECT * FROM feature_latest ORDER BY entity_id")
    keys = sorted(valkey.keys())
    online = [(key, valkey.get(key), valkey.pexpiretime(key)) for key in keys]
    now = clock.now()
    with connect(shop) as connection:
        connection.execute("DELETE FROM events WHERE user_id = 'u0'")
    report = _backfill(
        shop, [ACTIVITY], instants_between(now - timedelta(hours=3), now, step=timedelta(hours=1))
    )
    assert not report.failed
    assert _rows(shop, "SELECT * FROM feature_latest ORDER BY entity_id") == served
    assert [(key, valkey.get(key), valkey.pexpiretime(key)) for key in keys] == online


def test_only_the_entities_that_are_named_are_published(shop: Settings) -> None:
    """Their values are what they are among all; doing all afterwards is not done already."""
    _backfill(shop, [ACTIVITY], INSTANTS[:1], entity_ids=pa.array(["u1", "nobody"]))
    [(only, value)] = _rows(shop, "SELECT entity_id, feature_value FROM feature_values")
    _backfill(shop, [ACTIVITY], INSTANTS[:1])
    everyone = dict(_rows(shop, "SELECT entity_id, feature_value FROM feature_values"))
    assert only == "u1"
    assert everyone == {"u0": everyone["u0"], "u1": value}


def test_what_fails_does_not_stop_the_rest(shop: Settings) -> None:
    """The report says which instants failed and why; dependents of a failure are skipped."""
    with connect(shop) as connection:
        connection.execute("UPDATE products SET category = NULL")
    report = _backfill(shop, [*AFFINITY, ACTIVITY])
    record = report.as_record()
    assert {entry["job"] for entry in record["failed"]} == {job.name for job in AFFINITY}
    assert {entry["feature"] for entry in record["updated"]} == {ACTIVITY.name}
    assert (len(record["failed"]), len(record["updated"])) == (6, 3)
    assert any("null_share_category" in entry["error"] for entry in record["failed"])


def test_a_mistake_in_one_computation_does_not_stop_the_rest(shop: Settings) -> None:
    """Nobody foresaw it; it is reported like any failure."""
    [feature] = ACTIVITY.features
    # From an instant of this century to one that no datetime has, though not from the year 2000.
    mistaken = feature.model_copy(
        update={"feature_name": "mistaken", "parameters": {"window_days": -2_916_500.0}}
    )
    report = _backfill(shop, [Job((mistaken,), ()), ACTIVITY])
    record = report.as_record()
    assert [entry["job"] for entry in record["failed"]] == ["mistaken==1.0.0"] * len(INSTANTS)
    assert all("out of range" in entry["error"] for entry in record["failed"])
    assert {entry["feature"] for entry in record["updated"]} == {ACTIVITY.name}


def test_a_backfill_of_some_takes_nobody_elses_place(shop: Settings) -> None:
    """The next run of all belongs to the history, as if there had been none."""
    _backfill(shop, [ACTIVITY], INSTANTS[:1], entity_ids=pa.array(["u1"]))
    later = INSTANTS[0] + timedelta(hours=1)
    [report] = pipeline.run(shop, ACTIVITY, as_of=later, options=Options())
    assert report.history_row_count == 2
    [again] = pipeline.run(shop, ACTIVITY, as_of=later + timedelta(hours=1), options=Options())
    assert again.history_row_count is None


def test_instants_are_multiples_of_the_step() -> None:
    """Both ends count; a range without a multiple is refused."""
    hour = timedelta(hours=1)
    start = AS_OF + timedelta(minutes=1)
    assert instants_between(start, start + 2 * hour, step=hour) == [AS_OF + hour, AS_OF + 2 * hour]
    assert instants_between(AS_OF, AS_OF, step=hour) == [AS_OF]
    with pytest.raises(ConfigurationError, match="no multiple of 1 day"):
        instants_between(start, start + hour, step=DAY)


def test_entity_ids_are_read_one_a_line(tmp_path: Path) -> None:
    """Blank lines and repetitions don't count; a file without ids is refused."""
    file = tmp_path / "ids.txt"
    file.write_text("u1\n\n u2 \nu1\n")
    assert read_entity_ids(file).to_pylist() == ["u1", "u2"]
    file.write_text("\n")
    with pytest.raises(ContractViolation, match="holds no entity id"):
        read_entity_ids(file)
    with pytest.raises(ContractViolation, match="No such file"):
        read_entity_ids(tmp_path / "missing.txt")
