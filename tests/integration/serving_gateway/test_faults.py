"""Whatever happens to the stores: answers, right ones or defaults that say so, and recovery."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from benchmarks.faulty_line import FaultyLine, State, faulty_line
from benchmarks.judged_load import gateway_process, running_load
from feature_repo.stores.keys import redis_keys
from foundation.endpoints import resolve_endpoints
from foundation.errors import StoreUnavailable
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.fronts import postgres_socket, url_through

ONLINE = [f"online_{n}" for n in range(20)]
OFFLINE = [f"offline_{n}" for n in range(5)]
POPULARITY = "popularity_score"
ASKED: dict[str, Any] = {"entity_ids": [*ONLINE, *OFFLINE], "feature_names": [POPULARITY]}
RIGHT = {entity: {POPULARITY: 0.75} for entity in ASKED["entity_ids"]}
FAULT_SECONDS = 1.0


@dataclass(frozen=True)
class Stage:
    """A gateway whose lines to both stores can fail."""

    client: httpx.Client
    redis_line: FaultyLine
    postgres_line: FaultyLine

    def is_well(self) -> bool:
        """Tell whether every value is right, and from where it should be."""
        answer = self.client.post("/v1/features/batch", json=ASKED).json()
        return bool(answer["values"] == RIGHT and not answer["degraded"])


@pytest.fixture(scope="module")
def lines(applied: Settings) -> Iterator[tuple[httpx.Client, FaultyLine, FaultyLine]]:
    """Yield a client of a gateway, and its lines to Redis and PostgreSQL."""
    valkey = Path(resolve_endpoints(applied).redis_url.get_secret_value().removeprefix("unix://"))
    with faulty_line(valkey) as of_redis, faulty_line(postgres_socket(applied)) as of_postgres:
        environment = {
            "FEATURE_STORE_REDIS_URL": f"redis://127.0.0.1:{of_redis.port}",
            "FEATURE_STORE_POSTGRES_URL": url_through(applied, of_postgres.port),
            # As short as they are by default, so that a fault is noticed.
            "FEATURE_STORE_REDIS_TIMEOUT_SECONDS": "0.05",
            "FEATURE_STORE_POSTGRES_TIMEOUT_SECONDS": "0.05",
            "FEATURE_STORE_ON_DEMAND_TIMEOUT_SECONDS": "0.25",
            "FEATURE_STORE_ABSENT_SECONDS": "0.01",
            "FEATURE_STORE_BREAKER_RECOVERY_SECONDS": "0.3",
            "FEATURE_STORE_CATALOG_REFRESH_SECONDS": "0.5",
        }
        with gateway_process(environment) as gateway:
            yield gateway.client, of_redis, of_postgres


@pytest.fixture
def stage(
    lines: tuple[httpx.Client, FaultyLine, FaultyLine], settings: Settings, valkey: redis.Redis
) -> Stage:
    """Return a gateway that is well: some values are in Redis, others in PostgreSQL only."""
    for key in redis_keys(POPULARITY, "1.1.0", ONLINE):
        valkey.set(key, "0.75", ex=600)
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO feature_latest (entity_id, feature_name, feature_value, version, "
            "\"timestamp\") VALUES (%s, %s, '0.75', '1.1.0', now() - interval '1 hour')",
            [(entity, POPULARITY) for entity in ASKED["entity_ids"]],
        )
    stage = Stage(*lines)
    _eventually(stage.is_well)
    return stage


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the gateway did not recover"
        time.sleep(0.05)


def _flap(line: FaultyLine) -> None:
    for _ in range(5):
        line.become(State.CUT)
        time.sleep(FAULT_SECONDS / 10)
        line.become(State.SOUND)
        time.sleep(FAULT_SECONDS / 10)


@pytest.mark.parametrize("state", [State.CUT, State.SLOW, State.SILENT, State.NOISY])
@pytest.mark.parametrize("store", ["redis", "postgres", "both"])
def test_a_faulty_line_costs_no_answer(stage: Stage, store: str, state: State) -> None:
    """Under load: no error, no wrong value; and when the line is sound, all is well again."""
    lines = {"redis": [stage.redis_line], "postgres": [stage.postgres_line]}
    with running_load(stage.client, ASKED, RIGHT) as outcome:
        for line in lines.get(store, [stage.redis_line, stage.postgres_line]):
            line.become(state)
        time.sleep(FAULT_SECONDS)
        for line in (stage.redis_line, stage.postgres_line):
            line.become(State.SOUND)
        _eventually(stage.is_well)
    assert outcome.wrong == []
    assert outcome.degraded > 0


def test_a_flapping_redis_costs_no_answer(stage: Stage) -> None:
    """It comes and goes."""
    with running_load(stage.client, ASKED, RIGHT) as outcome:
        _flap(stage.redis_line)
        _eventually(stage.is_well)
    assert outcome.wrong == []


def test_a_frozen_redis_costs_no_answer(stage: Stage, valkey: redis.Redis) -> None:
    """The process itself is stopped, and goes on later."""
    process = valkey.info("server")["process_id"]
    with running_load(stage.client, ASKED, RIGHT) as outcome:
        os.kill(process, signal.SIGSTOP)
        try:
            time.sleep(FAULT_SECONDS)
        finally:
            os.kill(process, signal.SIGCONT)
        _eventually(stage.is_well)
    assert outcome.wrong == []
    assert outcome.degraded > 0


def test_a_full_redis_serves_on(stage: Stage, settings: Settings, valkey: redis.Redis) -> None:
    """What can't be written back is served from PostgreSQL again and again."""
    with connect(settings) as connection:
        connection.execute('UPDATE feature_latest SET "timestamp" = now()')
    valkey.config_set("maxmemory", "1mb")
    try:
        with running_load(stage.client, ASKED, RIGHT) as outcome:
            time.sleep(FAULT_SECONDS)
            _eventually(stage.is_well)
        metrics = stage.client.get("/metrics").text
    finally:
        valkey.config_set("maxmemory", "0")
    assert outcome.wrong == []
    assert 'feature_write_back_values_total{outcome="failed",store="redis"}' in metrics


def test_a_postgresql_without_connections_costs_no_answer(stage: Stage, settings: Settings) -> None:
    """Others have them all; the gateway's own are ended, and it gets no new one."""
    with contextlib.ExitStack() as taken:
        killer = taken.enter_context(connect(settings, autocommit=True))
        with running_load(stage.client, ASKED, RIGHT) as outcome:
            end = time.monotonic() + FAULT_SECONDS
            while time.monotonic() < end:
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE query LIKE '%%feature_latest%%' AND pid <> pg_backend_pid()"
                )
                with contextlib.suppress(StoreUnavailable):
                    while True:
                        taken.enter_context(_one_more(settings))
                time.sleep(0.05)
            taken.close()
            _eventually(stage.is_well)
    assert outcome.wrong == []


@contextlib.contextmanager
def _one_more(settings: Settings) -> Iterator[None]:
    """Hold a connection until the block ends."""
    with connect(settings):
        yield


def test_a_gateway_starts_without_its_stores(applied: Settings) -> None:
    """And becomes ready once they are there."""
    valkey = Path(resolve_endpoints(applied).redis_url.get_secret_value().removeprefix("unix://"))
    with faulty_line(valkey) as of_redis, faulty_line(postgres_socket(applied)) as of_postgres:
        for line in (of_redis, of_postgres):
            line.become(State.CUT)
        environment = {
            "FEATURE_STORE_REDIS_URL": f"redis://127.0.0.1:{of_redis.port}",
            "FEATURE_STORE_POSTGRES_URL": url_through(applied, of_postgres.port),
            "FEATURE_STORE_CATALOG_REFRESH_SECONDS": "0.2",
        }
        with gateway_process(environment) as gateway:
            client = gateway.client
            assert client.get("/ready").status_code == 503
            assert client.post("/v1/features/batch", json=ASKED).status_code == 503
            for line in (of_redis, of_postgres):
                line.become(State.SOUND)
            _eventually(lambda: client.get("/ready").json() == {"ready": True, "online": True})
            assert client.post("/v1/features/batch", json=ASKED).status_code == 200
