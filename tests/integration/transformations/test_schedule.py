"""The schedule keeps values from expiring, retries, skips, counts and drains."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
import redis

from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.postgres import connect
from foundation.settings import Settings
from transformations.instrumentation import JobInstruments
from transformations.jobs import Job
from transformations.schedule import Schedule

TOLERANCE = timedelta(seconds=9)


@pytest.fixture
def fresh_shop(shop: Settings) -> Settings:
    """Return a shop whose newest event is a second old."""
    with connect(shop) as connection:
        connection.execute(
            "UPDATE events SET event_timestamp = event_timestamp + (%s - "
            "(SELECT max(event_timestamp) FROM events))",
            (clock.now() - timedelta(seconds=1),),
        )
    return shop


def _job(feature_name: str, *dependencies: FeatureVersion, **changes: Any) -> Job:  # noqa: ANN401 - any field
    feature = next(
        f for f in gather_features() if f.reference == f"{feature_name}==1.0.0"
    ).model_copy(update=changes)
    return Job((feature,), dependencies)


async def _run_until(
    settings: Settings, jobs: Sequence[Job], instruments: JobInstruments, ended: Callable[[], bool]
) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(
        Schedule(settings, lambda: jobs, instruments, nightly=lambda: None).run(stop)
    )
    async with asyncio.timeout(60):
        while not ended():  # noqa: ASYNC110 - what ends it is in the stores
            await asyncio.sleep(0.02)
    stop.set()
    await running


def _sample(instruments: JobInstruments, name: str, **labels: str) -> float:
    return instruments.registry.get_sample_value(name, labels) or 0.0


async def test_no_value_expires_before_the_next_one_lands(
    fresh_shop: Settings, valkey: redis.Redis
) -> None:
    """Over two lifetimes of a value, its key is always there."""
    brief = {"staleness_tolerance": TOLERANCE, "computation_frequency": TOLERANCE}
    job = _job("product_freshness_score", **brief)
    key = "feature:product_freshness_score:p%3A0:v1.0.0"
    instruments, begun = JobInstruments(), clock.now()
    found: list[Any] = []

    def ended() -> bool:
        if valkey.exists(key) or found:
            found.append(valkey.exists(key))
        return clock.now() - begun > 2 * TOLERANCE

    await _run_until(fresh_shop, [job], instruments, ended)
    assert len(found) > 100
    assert all(found)
    job_name = {"job_name": "product_freshness_score==1.0.0"}
    succeeded = _sample(instruments, "batch_job_runs_total", **job_name, status="succeeded")
    assert succeeded >= 2
    assert _sample(instruments, "batch_job_records_processed_total", **job_name) == 4 * succeeded
    assert _sample(instruments, "batch_job_duration_seconds_count", **job_name) == succeeded
    assert _sample(
        instruments,
        "feature_quality_checks_total",
        feature_name="product_freshness_score",
        check_type="range",
        status="pass",
    )


async def test_what_depends_on_a_failure_is_skipped(fresh_shop: Settings) -> None:
    """The failed job is not tried again, for bad data stay bad; others go on."""
    with connect(fresh_shop) as connection:
        connection.execute("UPDATE products SET category = NULL")
    popularity = _job("category_popularity")
    affinity = _job("user_category_affinity", popularity.leader)
    activity = _job("user_activity_level")
    instruments = JobInstruments()

    def count(name: str, status: str) -> float:
        return _sample(
            instruments, "batch_job_runs_total", job_name=f"{name}==1.0.0", status=status
        )

    await _run_until(
        fresh_shop,
        [popularity, affinity, activity],
        instruments,
        lambda: bool(
            count("user_category_affinity", "skipped") and count("user_activity_level", "succeeded")
        ),
    )
    assert count("category_popularity", "failed") == 1
    failures = _sample(
        instruments, "batch_job_consecutive_failures", job_name="category_popularity==1.0.0"
    )
    assert failures == 1


async def test_transient_failures_are_tried_again(fresh_shop: Settings) -> None:
    """A dead Redis is retried after the delays of the settings, and each attempt is on record."""
    unreachable = Settings.model_validate(
        {
            **fresh_shop.model_dump(),
            "redis_url": "redis://127.0.0.1:1",
            "retry_delays_seconds": (0.1, 0.2),
        }
    )
    instruments = JobInstruments()
    job_name = "user_activity_level==1.0.0"

    def failures() -> float:
        return _sample(instruments, "batch_job_consecutive_failures", job_name=job_name)

    await _run_until(
        unreachable, [_job("user_activity_level")], instruments, lambda: failures() == 3
    )
    with connect(fresh_shop) as connection:
        rows = connection.execute(
            "SELECT attempt, status FROM computation_runs ORDER BY started_at"
        ).fetchall()
    assert rows == [(1, "failed"), (2, "failed"), (3, "failed")]


async def test_stopping_waits_for_what_runs_and_for_nothing_else(fresh_shop: Settings) -> None:
    """A job that runs is finished; one that waits for its next attempt is not."""
    unreachable = Settings.model_validate(
        {
            **fresh_shop.model_dump(),
            "redis_url": "redis://127.0.0.1:1",
            "retry_delays_seconds": (3_600.0,),
        }
    )

    def statuses() -> list[Any]:
        with connect(fresh_shop) as connection:
            rows = connection.execute("SELECT status FROM computation_runs").fetchall()
        return [status for (status,) in rows]

    jobs = [_job("user_activity_level")]
    await _run_until(unreachable, jobs, JobInstruments(), lambda: statuses() == ["failed"])
    await _run_until(fresh_shop, jobs, JobInstruments(), lambda: "running" in statuses())
    assert sorted(statuses()) == ["failed", "succeeded"]
