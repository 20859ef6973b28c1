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
from foundation.errors import StoreUnavailable
from foundation.postgres import connect
from foundation.settings import Settings
from transformations.instrumentation import SchedulerInstruments
from transformations.jobs import Job
from transformations.schedule import Schedule

TOLERANCE = timedelta(seconds=9)
SECOND = timedelta(seconds=1)
BRIEF = {"staleness_tolerance": SECOND, "computation_frequency": SECOND}


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
    settings: Settings,
    jobs: Sequence[Job],
    ended: Callable[[], bool],
    *,
    instruments: SchedulerInstruments | None = None,
    after_run: Callable[[Job], None] = lambda _: None,
    nightly: Callable[[], None] = lambda: None,
) -> None:
    stop = asyncio.Event()
    schedule = Schedule(
        settings,
        lambda: jobs,
        instruments or SchedulerInstruments(),
        nightly=nightly,
        after_run=after_run,
    )
    running = asyncio.create_task(schedule.run(stop))
    async with asyncio.timeout(60):
        while not ended():  # noqa: ASYNC110 - what ends it is in the stores
            await asyncio.sleep(0.02)
    stop.set()
    await running


def _statuses(settings: Settings, feature_name: str) -> list[str]:
    with connect(settings) as connection:
        rows = connection.execute(
            "SELECT status FROM computation_runs WHERE feature_name = %s ORDER BY started_at",
            (feature_name,),
        ).fetchall()
    return [status for (status,) in rows]


async def test_no_value_expires_before_the_next_one_lands(
    fresh_shop: Settings, valkey: redis.Redis
) -> None:
    """Over two lifetimes of a value, its key is always there."""
    brief = {"staleness_tolerance": TOLERANCE, "computation_frequency": TOLERANCE}
    job = _job("product_freshness_score", **brief)
    key = "feature:product_freshness_score:p%3A0:v1.0.0"
    instruments, begun = SchedulerInstruments(), clock.now()
    followed: list[str] = []
    found: list[Any] = []

    def ended() -> bool:
        if valkey.exists(key) or found:
            found.append(valkey.exists(key))
        return clock.now() - begun > 2 * TOLERANCE

    await _run_until(
        fresh_shop,
        [job],
        ended,
        instruments=instruments,
        after_run=lambda job: followed.append(job.name),
    )
    assert len(found) > 100
    assert all(found)
    statuses = _statuses(fresh_shop, "product_freshness_score")
    assert len(statuses) >= 2
    assert set(statuses) == {"succeeded"}
    assert len(followed) >= len(statuses) - 1
    ticked = instruments.registry.get_sample_value("scheduler_last_tick_timestamp_seconds")
    assert ticked is not None
    assert ticked >= begun.timestamp()
    assert instruments.registry.get_sample_value("scheduler_waves") == 1


async def test_what_depends_on_a_failure_is_skipped(fresh_shop: Settings) -> None:
    """The failed job is not tried again, for bad data stay bad; others go on."""
    with connect(fresh_shop) as connection:
        connection.execute("UPDATE products SET category = NULL")
    popularity = _job("category_popularity")
    affinity = _job("user_category_affinity", popularity.leader)
    activity = _job("user_activity_level")
    await _run_until(
        fresh_shop,
        [popularity, affinity, activity],
        lambda: (
            _statuses(fresh_shop, "user_category_affinity") == ["skipped"]
            and _statuses(fresh_shop, "user_activity_level") == ["succeeded"]
        ),
    )
    assert _statuses(fresh_shop, "category_popularity") == ["failed"]


async def test_what_just_redis_lacks_can_be_depended_on(fresh_shop: Settings) -> None:
    """Dependents read PostgreSQL; the runs failed all the same, and are tried again."""
    unreachable = Settings.model_validate(
        {
            **fresh_shop.model_dump(),
            "redis_url": "redis://127.0.0.1:1",
            "retry_delays_seconds": (0.1,),
        }
    )
    popularity = _job("category_popularity")
    await _run_until(
        unreachable,
        [popularity, _job("user_category_affinity", popularity.leader)],
        lambda: _statuses(fresh_shop, "user_category_affinity") == ["failed"] * 2,
    )
    assert _statuses(fresh_shop, "category_popularity") == ["failed"] * 2
    with connect(fresh_shop) as connection:
        rows = connection.execute("SELECT DISTINCT feature_name FROM feature_latest").fetchall()
    assert sorted(rows) == [("category_popularity",), ("user_category_affinity",)]


@pytest.mark.parametrize("frequency", [SECOND, timedelta(days=1)])
async def test_a_definition_that_changes_counts_at_once(
    fresh_shop: Settings, frequency: timedelta
) -> None:
    """A job that failed by a wrong expectation needs no new schedule when that is mended."""
    hurried = fresh_shop.model_copy(update={"schedule_refresh_seconds": 0.1})
    wrong = _job("product_freshness_score", valid_range=(2.0, 3.0), computation_frequency=frequency)
    jobs = [wrong]

    def ended() -> bool:
        statuses = _statuses(fresh_shop, "product_freshness_score")
        if statuses and statuses[-1] == "failed":
            jobs[0] = _job("product_freshness_score", **BRIEF)
        return "succeeded" in statuses

    await _run_until(hurried, jobs, ended)


async def test_what_comes_after_a_run_spoils_nothing(fresh_shop: Settings) -> None:
    """The schedule goes on when the measurement after a run fails."""

    def fail(_job: Job) -> None:
        raise RuntimeError

    await _run_until(
        fresh_shop,
        [_job("product_freshness_score", **BRIEF)],
        lambda: len(_statuses(fresh_shop, "product_freshness_score")) > 2,
        after_run=fail,
    )
    assert "failed" not in _statuses(fresh_shop, "product_freshness_score")


async def test_a_run_that_outlasts_its_interval_is_followed_by_another(
    fresh_shop: Settings,
) -> None:
    """The next one is due as it ends, and is not lost."""
    begun = clock.now()
    with connect(fresh_shop) as blocker:
        blocker.execute("LOCK TABLE products")

        def ended() -> bool:
            if clock.now() - begun > 2 * SECOND:
                blocker.rollback()
            return _statuses(fresh_shop, "product_freshness_score").count("succeeded") > 1

        await _run_until(fresh_shop, [_job("product_freshness_score", **BRIEF)], ended)


async def test_the_night_is_not_over_until_its_work_is_done(fresh_shop: Settings) -> None:
    """A midnight that was missed is made up for; what fails, however it does, is tried again."""
    hurried = fresh_shop.model_copy(update={"schedule_refresh_seconds": 0.01})
    endings: list[str] = []

    def nightly() -> None:
        endings.append("failed" if len(endings) < 2 else "done")
        if len(endings) == 1:
            raise StoreUnavailable("the bucket is away")
        if len(endings) == 2:
            raise OSError("the disk is full")

    await _run_until(hurried, [], lambda: "done" in endings, nightly=nightly)
    assert endings == ["failed", "failed", "done"]


async def test_transient_failures_are_tried_again(fresh_shop: Settings) -> None:
    """A dead Redis is retried after the delays of the settings, and each attempt is on record."""
    unreachable = Settings.model_validate(
        {
            **fresh_shop.model_dump(),
            "redis_url": "redis://127.0.0.1:1",
            "retry_delays_seconds": (0.1, 0.2),
        }
    )
    await _run_until(
        unreachable,
        [_job("user_activity_level")],
        lambda: _statuses(fresh_shop, "user_activity_level") == ["failed"] * 3,
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

    def statuses() -> list[str]:
        return _statuses(fresh_shop, "user_activity_level")

    jobs = [_job("user_activity_level")]
    await _run_until(unreachable, jobs, lambda: statuses() == ["failed"])
    await _run_until(fresh_shop, jobs, lambda: "running" in statuses())
    assert sorted(statuses()) == ["failed", "succeeded"]
