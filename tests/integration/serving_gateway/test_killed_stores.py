"""A store that is killed, and started again, costs values for a while, and never an answer."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.judged_load import gateway_process
from feature_repo.stores.schema import migrate
from foundation import embedded
from foundation.redis import connect as connect_redis
from foundation.settings import Settings, load_settings
from tests.integration.conftest import apply_definitions
from tests.integration.serving_gateway.stage import (
    LIMITS,
    Stage,
    eventually,
    filled_stage,
)

ENOUGH = 40


@pytest.fixture(scope="module")
def own_servers() -> Iterator[Settings]:
    """Settings of servers that nobody else needs, whose registry holds our definitions."""
    with (
        tempfile.TemporaryDirectory(prefix="feature-store-") as folder,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("FEATURE_STORE_DATA_DIR", folder)
        environment.delenv("FEATURE_STORE_POSTGRES_URL", raising=False)
        environment.delenv("FEATURE_STORE_REDIS_URL", raising=False)
        embedded.start(Path(folder))
        settings = load_settings()
        migrate(settings)
        apply_definitions()
        yield settings
        embedded.stop(Path(folder))


@pytest.fixture(scope="module")
def stage(own_servers: Settings) -> Iterator[Stage]:
    """Yield a gateway that is well."""
    with gateway_process(LIMITS) as gateway:
        yield filled_stage(gateway.client, own_servers)


def test_a_killed_redis_costs_no_answer(stage: Stage, own_servers: Settings) -> None:
    """It comes back empty; what it had is in PostgreSQL."""
    with connect_redis(own_servers) as client:
        process_id = client.info("server")["process_id"]
    with stage.under_load() as load:
        _kill(process_id)
        eventually(lambda: load.stored.degraded >= ENOUGH)
        embedded.start(own_servers.data_dir)
    assert load.wrong == []


def test_a_killed_postgresql_costs_no_answer(stage: Stage, own_servers: Settings) -> None:
    """It comes back after it has recovered what it had."""
    file = own_servers.data_dir / "postgres" / "postmaster.pid"
    with stage.under_load() as load:
        _kill(int(file.read_text().split()[0]))
        eventually(lambda: load.computed.degraded >= ENOUGH)
        embedded.start(own_servers.data_dir)
    assert load.wrong == []


def _kill(process_id: int) -> None:
    """Kill a process; what started it may take a moment to let it go."""
    os.kill(process_id, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{process_id}").exists())
