"""The exporter tells what the tables say, over HTTP, whatever happens to the stores."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from foundation import clock
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from monitoring.exporter.families import metric_families
from monitoring.exporter.picture import Picture
from monitoring.exporter.readings import readings
from monitoring.exporter.server import serve
from monitoring.exporter.watch import Reading, Watch
from tests.integration.monitoring.runs_on_record import FAILED, PASSED, insert_run

JOB = "popularity_score==1.0.0"
POPULARITY = {"feature_name": "popularity_score", "version": "1.0.0"}
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
Sample = Callable[..., float | None]


def _sample(picture: Picture) -> Sample:
    now = clock.now()
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in metric_families(picture, now=now)
        for sample in family.samples
    }
    return lambda name, **labels: samples.get((name, *sorted(labels.items())))


def _read(settings: Settings) -> Sample:
    watch = Watch(*readings(settings))
    watch.read_all()
    return _sample(watch.picture)


@pytest.fixture
def told(applied: Settings, settings: Settings, postgres: Connection) -> Settings:
    """Settings of stores in which a job failed twice, long after it had succeeded twice."""
    assert applied
    begun = clock.now() - timedelta(hours=1)
    for number, (status, seconds) in enumerate(
        [("succeeded", 4.0), ("succeeded", 7_200.0), ("failed", 2.0), ("failed", 2.0)]
    ):
        insert_run(
            postgres,
            "popularity_score",
            started_at=begun + number * SECOND,
            status=status,
            seconds=seconds,
            rows=10 + number,
            checks=(PASSED, PASSED if status == "succeeded" else FAILED),
        )
    for feature_name in ("user_factors", "user_product_affinity"):
        insert_run(
            postgres, feature_name, job="collaborative_filtering", started_at=begun, rows=100
        )
    return settings


def test_counters_tell_what_the_runs_were(told: Settings, postgres: Connection) -> None:
    """A run of several versions is one run; backfills are none of the schedule's."""
    insert_run(postgres, "popularity_score", started_at=clock.now(), backfill=True)
    sample = _read(told)
    runs = {
        status: sample("batch_job_runs_total", job_name=JOB, status=status)
        for status in ("succeeded", "failed", "skipped")
    }
    assert runs == {"succeeded": 2, "failed": 2, "skipped": 0}
    assert sample("batch_job_records_processed_total", job_name=JOB) == 10 + 11
    cut = {"job_name": "collaborative_filtering==1.0.0"}
    assert sample("batch_job_runs_total", status="succeeded", **cut) == 1
    assert sample("batch_job_records_processed_total", **cut) == 200
    buckets = [
        sample("batch_job_duration_seconds_bucket", job_name=JOB, le=le)
        for le in ("1.0", "2.5", "5.0", "3600.0", "+Inf")
    ]
    assert buckets == [0, 2, 3, 3, 4]
    assert sample("batch_job_duration_seconds_sum", job_name=JOB) == 4 + 7_200 + 2 + 2
    checks = {"feature_name": "popularity_score", "check_type": "range"}
    assert sample("feature_quality_checks_total", status="pass", **checks) == 6
    assert sample("feature_quality_checks_total", status="fail", **checks) == 2
    detected = {"feature_name": "popularity_score", "against": "baseline"}
    assert sample("feature_drift_detected_total", **detected) == 0


def test_counters_never_go_backwards(told: Settings, postgres: Connection) -> None:
    """Neither when an exporter starts anew, nor when old runs are removed, nor with two of them."""
    first, second = Watch(*readings(told)), Watch(*readings(told))
    first.read_all()
    second.read_all()
    postgres.execute("DELETE FROM computation_runs WHERE status = 'failed'")
    postgres.commit()
    insert_run(postgres, "popularity_score", started_at=clock.now(), status="failed")
    first.read_all()
    for sample in (_sample(first.picture), _read(told)):
        assert sample("batch_job_runs_total", job_name=JOB, status="failed") == 3
        assert sample("batch_job_runs_total", job_name=JOB, status="succeeded") == 2


def test_gauges_tell_how_jobs_are(told: Settings, postgres: Connection) -> None:
    """Of the last successful run, of failures since, and of the run that is under way."""
    begun = clock.now()
    insert_run(postgres, "popularity_score", started_at=begun, status="running")
    sample = _read(told)
    assert sample("batch_job_consecutive_failures", job_name=JOB) == 2
    assert sample("batch_job_last_duration_seconds", job_name=JOB) == 7_200
    assert sample("batch_job_expected_duration_seconds", job_name=JOB) == (7_200 + 4) / 2
    assert sample("batch_job_interval_seconds", job_name=JOB) == 300
    assert sample("batch_job_last_records", job_name=JOB) == 11
    assert sample("batch_job_running_since_timestamp", job_name=JOB) == begun.timestamp()
    other = {"job_name": "category_popularity==1.0.0"}
    assert sample("batch_job_running_since_timestamp", **other) == 0
    assert sample("batch_job_last_success_timestamp", **other) == 0
    assert sample("batch_job_last_success_timestamp", job_name="popularity_score==2.0.0") is None


def test_skips_count_until_a_job_succeeds(told: Settings, postgres: Connection) -> None:
    """They are no failures."""
    for number in (1, 2):
        insert_run(
            postgres, "popularity_score", started_at=clock.now() + number * SECOND, status="skipped"
        )
    sample = _read(told)
    assert sample("batch_job_consecutive_skips", job_name=JOB) == 2
    assert sample("batch_job_consecutive_failures", job_name=JOB) == 2
    insert_run(
        postgres, "popularity_score", started_at=clock.now() + 3 * SECOND, status="succeeded"
    )
    assert _read(told)("batch_job_consecutive_skips", job_name=JOB) == 0


def test_a_run_and_its_retries_fail_once(told: Settings, postgres: Connection) -> None:
    """Three attempts of one run are not three runs in a row."""
    for attempt in (2, 3, 4):
        insert_run(
            postgres,
            "popularity_score",
            started_at=clock.now() + attempt * SECOND,
            status="failed",
            attempt=attempt,
        )
    assert _read(told)("batch_job_consecutive_failures", job_name=JOB) == 2


def test_gauges_tell_how_features_are(told: Settings, postgres: Connection) -> None:
    """Age by the last run, rows and their stale share by the latest values."""
    now = clock.now()
    postgres.execute("INSERT INTO users VALUES ('u', %s)", (now - timedelta(hours=2),))
    postgres.execute(
        "INSERT INTO products VALUES ('p', 't', 'd', 'c', 1, %s, %s)",
        (now - timedelta(days=9), now - MINUTE),
    )
    with postgres.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO feature_latest VALUES (%s, 'popularity_score', '0.5', '1.0.0', %s)",
            [(str(n), now - timedelta(minutes=n)) for n in (0, 1, 2, 30)],
        )
    postgres.commit()
    sample = _read(told)
    assert sample("feature_rows", **POPULARITY) == 4
    assert sample("feature_stale_entities_ratio", **POPULARITY) == 0.25
    assert sample("feature_staleness_tolerance_seconds", **POPULARITY) == 300
    assert sample("feature_freshness_seconds", **POPULARITY) == pytest.approx(3_600, abs=60)
    assert sample("data_freshness_seconds", data_source="users") == pytest.approx(7_200, abs=60)
    assert sample("data_freshness_seconds", data_source="products") == pytest.approx(60, abs=60)
    assert sample("data_freshness_limit_seconds", data_source="products") == 172_800
    assert sample("data_freshness_seconds", data_source="events") is None
    assert (sample("feature_versions", status="active") or 0) > 5
    assert sample("feature_registry_reachable") == 1
    assert sample("exporter_last_scrape_success") == 1


def test_what_alerts_look_at(told: Settings, postgres: Connection) -> None:
    """The last run's failed checks, each feature's limits, and whose it is."""
    sample = _read(told)
    assert sample("feature_failed_checks", **POPULARITY) == 1
    assert sample("feature_hit_rate_limit_ratio", **POPULARITY) == 0.6
    assert sample("feature_unavailable_limit_ratio", **POPULARITY) == 0.05
    keyword = {"feature_name": "search_keyword_score", "version": "1.0.0"}
    assert sample("feature_hit_rate_limit_ratio", **keyword) is None  # never in Redis
    assert sample("feature_unavailable_limit_ratio", **keyword) == 0.05
    assert sample("batch_job_info", job_name=JOB, owner="ranking", **POPULARITY) == 1
    assert sample("feature_info", owner="search", **keyword) == 1
    insert_run(postgres, "popularity_score", started_at=clock.now(), checks=(PASSED,))
    assert _read(told)("feature_failed_checks", **POPULARITY) == 0


def test_a_dead_store_costs_no_metric(told: Settings) -> None:
    """The last values stay, ages go on growing, and the exporter says what it could not read."""
    dead = Settings.model_validate(
        {**told.model_dump(), "postgres_url": "postgresql://127.0.0.1:1/nowhere"}
    )
    # The registry is read where the environment says.
    stores = {"well": {r.name: r for r in readings(told)}, "dead": {}}
    stores["dead"] = {r.name: r for r in readings(dead)} | {"registry": stores["well"]["registry"]}
    state = ["well"]

    def reading(name: str) -> Reading:
        def read(picture: Picture, now: datetime) -> Mapping[str, Any]:
            return stores[state[-1]][name].read(picture, now)

        return Reading(name, SECOND, read)

    watch = Watch(*(reading(name) for name in stores["well"]))
    watch.read_all()
    before = _sample(watch.picture)
    state.append("dead")
    watch.read_all()
    after = _sample(watch.picture)
    for name, labels in (
        ("batch_job_runs_total", {"job_name": JOB, "status": "failed"}),
        ("batch_job_consecutive_failures", {"job_name": JOB}),
    ):
        assert before(name, **labels) == after(name, **labels)
        assert (after("feature_freshness_seconds", **POPULARITY) or 0) > (
            before("feature_freshness_seconds", **POPULARITY) or 0
        )
    assert after("exporter_last_scrape_success") == 0
    assert after("monitoring_scrape_errors_total", part="runs") == 1
    assert after("monitoring_scrape_errors_total", part="registry") == 0


def test_a_failed_run_is_never_told_without_its_failed_checks(told: Settings) -> None:
    """However runs end meanwhile: an alert that the checks explain would be told by itself."""
    watch = Watch(*(each for each in readings(told) if each.name in {"registry", "runs"}))
    done = threading.Event()

    def mend_and_break() -> None:
        with connect(told) as connection:
            while not done.is_set():
                for status, check in (("succeeded", PASSED), ("failed", FAILED)):
                    insert_run(
                        connection,
                        POPULARITY["feature_name"],
                        started_at=clock.now(),
                        status=status,
                        checks=(check,),
                    )

    runner = threading.Thread(target=mend_and_break)
    runner.start()
    try:
        for _ in range(40):
            watch.read_all()
            sample = _sample(watch.picture)
            failures = sample("batch_job_consecutive_failures", job_name=JOB)
            checks = sample("feature_failed_checks", **POPULARITY)
            assert (failures, checks) in {(0, 0), (1, 1), (2, 1)}
    finally:
        done.set()
        runner.join()


def test_metrics_are_served(told: Settings) -> None:
    """What the HTTP server answers is what Prometheus' own parser takes."""
    with serve(told.model_copy(update={"exporter_port": 0})) as port:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"exporter_last_scrape_success", "monitoring_scrape_errors"} <= names
