"""Real servers for every test that asks for them, started once and emptied before each test."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Feast sets it when it is imported, and processes that tests run side by side in inherit it.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

# Before Feast: it would switch all metrics of the process to files that processes share.
import prometheus_client  # noqa: F401
import pytest
import redis

from feature_repo.stores.schema import migrate
from foundation import embedded
from foundation.postgres import Connection, connect
from foundation.redis import connect as connect_redis
from foundation.settings import Settings, load_settings

_TABLES = (
    "events, products, product_texts, users, feature_values, feature_latest, replaced_values, "
    "archived_parts, "
    "computation_runs, incremental_states, incremental_totals, api_keys, feature_use, "
    "metric_totals, drift_baselines, drift_measurements"
)

# Limits of serving reads under which a busy machine spoils no test.
_PATIENCE = {
    "FEATURE_STORE_REGISTRY_TIMEOUT_SECONDS": "60",
    "FEATURE_STORE_REQUEST_TIMEOUT_SECONDS": "20",
    "FEATURE_STORE_REDIS_TIMEOUT_SECONDS": "5",
    "FEATURE_STORE_POSTGRES_TIMEOUT_SECONDS": "5",
    "FEATURE_STORE_ON_DEMAND_TIMEOUT_SECONDS": "10",
}


@pytest.fixture(scope="session")
def servers() -> Iterator[Settings]:
    """Settings of a PostgreSQL with our schema and a Valkey, which the whole session shares."""
    with (
        # Not pytest's own: when another session starts, PostgreSQL's user may look into it no more.
        tempfile.TemporaryDirectory(prefix="feature-store-") as folder,
        pytest.MonkeyPatch.context() as environment,
    ):
        data_dir = Path(folder)
        # Feast's plugins read the settings from the environment, like everybody else.
        environment.setenv("FEATURE_STORE_DATA_DIR", str(data_dir))
        for name, seconds in _PATIENCE.items():
            environment.setenv(name, seconds)
        environment.delenv("FEATURE_STORE_POSTGRES_URL", raising=False)
        environment.delenv("FEATURE_STORE_REDIS_URL", raising=False)
        embedded.start(data_dir)
        settings = load_settings()
        _forget_durability(settings)
        migrate(settings)
        yield settings
        embedded.stop(data_dir)


def _forget_durability(settings: Settings) -> None:
    """Spare what only a crash of the machine would miss: waiting for the disk."""
    with connect(settings, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("ALTER SYSTEM SET synchronous_commit = off")
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def settings(servers: Settings) -> Settings:
    """Settings of empty stores."""
    with connect(servers) as connection:
        connection.execute(f"TRUNCATE {_TABLES}")
    client = connect_redis(servers)
    client.flushall()
    client.close()
    return servers


@pytest.fixture
def postgres(settings: Settings) -> Iterator[Connection]:
    """Yield a connection to an empty database that has our schema."""
    with connect(settings) as connection:
        yield connection


@pytest.fixture
def valkey(settings: Settings) -> Iterator[redis.Redis]:
    """Yield a client of an empty Valkey."""
    client = connect_redis(settings)
    assert isinstance(client, redis.Redis)
    yield client
    client.close()
