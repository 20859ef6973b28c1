"""A job that is killed at any moment, and run again, leaves what an undisturbed run leaves."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import IO, Any

import pytest
import redis

from foundation import clock
from foundation.errors import JobAlreadyRunning
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.transformations import jobs_process
from tests.integration.transformations.conftest import AS_OF
from tests.integration.transformations.shop_jobs import SHOP_JOBS
from transformations import pipeline
from transformations.computing import compute
from transformations.engines.postgres import PostgresEngine
from transformations.expressions import job_expression

KILLS = 10
POPULARITY = "popularity_score==1.0.0"


class Jobs:
    """Runs jobs in children of another process; see `jobs_process`."""

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._orders = orders
        self._answers = answers

    def start(self, name: str, as_of: datetime | None, *, lateness: float = 900.0) -> int:
        """Start a job; returns its process id."""
        instant = None if as_of is None else as_of.isoformat()
        order = {"job": name, "as_of": instant, "late_events_seconds": lateness}
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()
        return int(self._answers.readline())

    def wait(self) -> int:
        """Return the started job's exit status, once it has ended."""
        return int(self._answers.readline())

    def kill_at_random(
        self, name: str, as_of: datetime | None, *, seconds: float, lateness: float = 900.0
    ) -> None:
        """Start a job and kill it within so many seconds."""
        process_id = self.start(name, as_of, lateness=lateness)
        time.sleep(random.uniform(0, seconds))  # noqa: S311 - any moment will do
        with contextlib.suppress(ProcessLookupError):  # it was faster
            os.kill(process_id, signal.SIGKILL)
        self.wait()


@pytest.fixture(scope="module")
def jobs(servers: Settings) -> Iterator[Jobs]:
    """Yield what runs jobs in processes that can be killed."""
    assert servers.data_dir.exists()
    command = [sys.executable, "-m", jobs_process.__name__]
    with subprocess.Popen(  # noqa: S603 - our own
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Jobs(process.stdin, process.stdout)


def _finish(settings: Settings, name: str, as_of: datetime | None) -> None:
    """Run a job to its end, as soon as the server has noticed that the killed one is gone."""
    deadline = clock.now() + timedelta(seconds=30)
    while clock.now() < deadline:
        with contextlib.suppress(JobAlreadyRunning):
            pipeline.run(settings, SHOP_JOBS[name], as_of=as_of)
            return
        time.sleep(0.05)
    pytest.fail("the lock of a killed job was not released")


def _contents(settings: Settings) -> list[Any]:
    values = "SELECT feature_name, version, entity_id, feature_value, timestamp FROM"
    with connect(settings) as connection:
        return [
            connection.execute(query.encode()).fetchall()
            for query in (
                f"{values} feature_latest ORDER BY 1, 2, 3",
                f"{values} feature_values ORDER BY 1, 2, 3, 5",
                "SELECT checksum FROM computation_runs WHERE status = 'succeeded' ORDER BY 1",
            )
        ]


@pytest.mark.parametrize("name", SHOP_JOBS)
def test_a_killed_job_leaves_what_an_undisturbed_one_leaves(
    shop: Settings, jobs: Jobs, name: str
) -> None:
    """Killed ten times at random, then run again: the same rows in both tables."""
    job = SHOP_JOBS[name]
    for known in job.dependencies:
        _finish(shop, known.job_name, AS_OF)
    started = time.perf_counter()
    jobs.start(name, AS_OF)
    assert jobs.wait() == 0
    seconds = time.perf_counter() - started
    undisturbed = _contents(shop)
    with connect(shop) as connection:
        names = [feature.feature_name for feature in job.features]
        connection.execute("DELETE FROM feature_latest WHERE feature_name = ANY(%s)", (names,))
        connection.execute("DELETE FROM feature_values WHERE feature_name = ANY(%s)", (names,))
        connection.execute("DELETE FROM computation_runs WHERE feature_name = ANY(%s)", (names,))
    for _ in range(KILLS):
        jobs.kill_at_random(name, AS_OF, seconds=seconds)
    _finish(shop, name, AS_OF)
    with connect(shop) as connection:
        # A kill may come after the end; two good runs then have one checksum.
        connection.execute(
            "DELETE FROM computation_runs AS one USING computation_runs AS other "
            "WHERE one.checksum = other.checksum AND one.started_at < other.started_at"
        )
    assert _contents(shop) == undisturbed
    with connect(shop) as connection:
        running = connection.execute(
            "SELECT count(*) FROM computation_runs WHERE status = 'running'"
        ).fetchone()
    assert running == (0,)


def test_a_killed_incremental_job_adds_up(shop: Settings, valkey: redis.Redis, jobs: Jobs) -> None:
    """While events come in and jobs are killed, what is served is what all events give."""
    lateness = 0.5
    impatient = shop.model_copy(update={"late_events_seconds": lateness})
    with connect(shop, autocommit=True) as connection:
        shift = clock.now() - (AS_OF - timedelta(hours=1))
        connection.execute("UPDATE events SET event_timestamp = event_timestamp + %s", (shift,))
        _finish(impatient, POPULARITY, None)
        for number in range(KILLS):
            connection.execute(
                "INSERT INTO events VALUES (%s, 'u0', %s, 'purchase', now())",
                (f"more{number}", f"p:{number % 4}"),
            )
            jobs.kill_at_random(POPULARITY, None, seconds=1.0, lateness=lateness)
        _finish(impatient, POPULARITY, None)
        [(as_of,)] = connection.execute(
            "SELECT as_of FROM computation_runs ORDER BY started_at DESC LIMIT 1"
        ).fetchall()
    job = SHOP_JOBS[POPULARITY]
    with PostgresEngine.open(shop) as engine:
        computed = compute(job, engine.execute(job_expression(job, as_of=as_of)), as_of=as_of)
    rows = computed.values[POPULARITY].to_pylist()
    assert len(rows) == 4
    for row in rows:
        served = valkey.get(f"feature:popularity_score:{row['entity_id']}:v1.0.0")
        assert isinstance(served, bytes)
        assert float(served) == pytest.approx(row["feature_value"], abs=1e-9)
