"""Whatever happens to the stores: answers, right ones or defaults that say so, and recovery."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from benchmarks.faulty_line import FaultyLine, State, faulty_line
from benchmarks.judged_load import gateway_process
from foundation.endpoints import resolve_endpoints
from foundation.errors import StoreUnavailable
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from tests.integration.fronts import postgres_socket, url_through
from tests.integration.serving_gateway.stage import (
    LIMITS,
    STORED,
    Load,
    Stage,
    eventually,
    filled_stage,
)

# So many answers during a fault, degraded where it shows, are enough to find a wrong one.
ENOUGH = 40

Lines = dict[str, FaultyLine]


@pytest.fixture(scope="module")
def gateway(applied: Settings) -> Iterator[tuple[httpx.Client, Lines]]:
    """Yield a client of a gateway, and its lines to both stores."""
    valkey = Path(resolve_endpoints(applied).redis_url.get_secret_value().removeprefix("unix://"))
    with faulty_line(valkey) as of_redis, faulty_line(postgres_socket(applied)) as of_postgres:
        environment = {
            **LIMITS,
            "FEATURE_STORE_REDIS_URL": f"redis://127.0.0.1:{of_redis.port}",
            "FEATURE_STORE_POSTGRES_URL": url_through(applied, of_postgres.port),
        }
        with gateway_process(environment) as gateway:
            yield gateway.client, {"redis": of_redis, "postgres": of_postgres}


@pytest.fixture
def lines(gateway: tuple[httpx.Client, Lines]) -> Lines:
    """Return the gateway's lines to both stores."""
    return gateway[1]


@pytest.fixture
def stage(gateway: tuple[httpx.Client, Lines], settings: Settings) -> Stage:
    """Return a gateway that is well."""
    return filled_stage(gateway[0], settings)


@pytest.mark.parametrize("state", [State.CUT, State.SLOW, State.SILENT, State.NOISY])
@pytest.mark.parametrize("stores", [["redis"], ["postgres"], ["redis", "postgres"]])
def test_a_faulty_line_costs_no_answer(
    stage: Stage, lines: Lines, stores: list[str], state: State
) -> None:
    """Under load: no error, no wrong value; and when the line is sound, all is well again."""
    with stage.under_load() as load:
        for store in stores:
            lines[store].become(state)
        eventually(lambda: load.degraded >= ENOUGH)
        for line in lines.values():
            line.become(State.SOUND)
    assert load.wrong == []


def test_a_flapping_redis_costs_no_answer(stage: Stage, lines: Lines) -> None:
    """It comes and goes."""
    with stage.under_load() as load:
        for _ in range(5):
            _flap(lines["redis"], load)
    assert load.wrong == []


def _flap(line: FaultyLine, load: Load) -> None:
    degraded = load.stored.degraded
    line.become(State.CUT)
    eventually(lambda: load.stored.degraded > degraded)
    answers = load.answers
    line.become(State.SOUND)
    eventually(lambda: load.answers >= answers + ENOUGH)


def test_a_frozen_redis_costs_no_answer(stage: Stage, valkey: redis.Redis) -> None:
    """The process itself is stopped, and goes on later."""
    with stage.under_load() as load, _frozen([valkey.info("server")["process_id"]]):
        eventually(lambda: load.stored.degraded >= ENOUGH)
    assert load.wrong == []


def test_a_frozen_postgresql_costs_no_answer(stage: Stage, settings: Settings) -> None:
    """All of its processes are stopped: connections can be made, and nobody answers."""
    with stage.under_load() as load, _frozen(_postgres_processes(settings)):
        eventually(lambda: load.computed.degraded >= ENOUGH)
    assert load.wrong == []


def test_a_hanging_computation_costs_no_answer(stage: Stage, postgres: Connection) -> None:
    """Somebody holds a lock on what it reads, and PostgreSQL is well otherwise."""
    with stage.under_load() as load:
        postgres.execute("LOCK TABLE products")
        eventually(lambda: load.computed.degraded >= ENOUGH)
        postgres.rollback()
    assert load.wrong == []


def test_a_full_redis_serves_on(stage: Stage, settings: Settings, valkey: redis.Redis) -> None:
    """What can't be written back is served from PostgreSQL again and again."""
    with connect(settings) as connection:
        connection.execute('UPDATE feature_latest SET "timestamp" = now()')
    valkey.config_set("maxmemory", "1mb")
    try:
        with stage.under_load() as load:
            eventually(lambda: load.answers >= ENOUGH)
        metrics = stage.client.get("/metrics").text
    finally:
        valkey.config_set("maxmemory", "0")
    assert load.wrong == []
    assert 'feature_write_back_values_total{outcome="failed",store="redis"}' in metrics


def test_a_postgresql_without_connections_costs_no_answer(stage: Stage, settings: Settings) -> None:
    """Others have them all; the gateway's own are ended, and it gets no new one."""
    with contextlib.ExitStack() as stack:
        killer = stack.enter_context(connect(settings, autocommit=True))
        taken = [killer.info.backend_pid]

        def take_all() -> None:
            killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> ALL(%s)",
                (taken,),
            )
            with contextlib.suppress(StoreUnavailable):
                while True:
                    connection = stack.enter_context(connect(settings))
                    taken.append(connection.info.backend_pid)

        def are_gone() -> bool:
            take_all()
            return load.degraded >= ENOUGH

        take_all()  # while the gateway is in no hurry to have one of those that become free
        with stage.under_load() as load:
            eventually(are_gone)
            stack.close()
    assert load.wrong == []


@contextlib.contextmanager
def _frozen(process_ids: list[int]) -> Iterator[None]:
    """Stop processes until the block ends."""
    for process_id in process_ids:
        os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        for process_id in process_ids:
            os.kill(process_id, signal.SIGCONT)


def _postgres_processes(settings: Settings) -> list[int]:
    """Return the ids of the postmaster, first, and of all that it has started so far."""
    postmaster = (settings.data_dir / "postgres" / "postmaster.pid").read_text().split()[0]
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [int(process_id) for process_id in (postmaster, *children)]


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
            assert client.post("/v1/features/batch", json=STORED.body).status_code == 503
            for line in (of_redis, of_postgres):
                line.become(State.SOUND)
            eventually(lambda: client.get("/ready").json() == {"ready": True, "online": True})
            assert client.post("/v1/features/batch", json=STORED.body).status_code == 200
