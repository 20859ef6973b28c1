"""A PostgreSQL that is reached and says nothing is given up, and so is the connection."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from psycopg_pool import PoolTimeout
from pydantic import SecretStr
from sqlalchemy import create_engine

from benchmarks.faulty_line import FaultyLine, State, faulty_line
from foundation.impatient_connections import ImpatientConnection
from foundation.postgres import Pool, connection_pool, registry_connection
from foundation.settings import Settings
from tests.integration.fronts import postgres_socket, url_through

SHORT = 0.2


@pytest.fixture
def line(settings: Settings) -> Iterator[FaultyLine]:
    """Yield a line to PostgreSQL."""
    with faulty_line(postgres_socket(settings)) as line:
        yield line


@pytest.fixture
def through(settings: Settings, line: FaultyLine) -> Settings:
    """Return settings that lead through the line, and wait for answers a moment only."""
    return settings.model_copy(
        update={
            "postgres_url": SecretStr(url_through(settings, line.port)),
            "registry_timeout_seconds": SHORT,
            "on_demand_timeout_seconds": SHORT,
        }
    )


def test_a_reading_of_the_registry_ends(through: Settings, line: FaultyLine) -> None:
    """With the driver's error; what still answers later would be taken for the next answer."""
    with registry_connection(through) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        line.become(State.SILENT)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 2")
        assert connection.closed


def test_a_mistake_costs_no_connection(through: Settings) -> None:
    """The server has answered."""
    with registry_connection(through) as connection:
        connection.autocommit = True
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nothing")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_feasts_registry_waits_no_longer_either(settings: Settings) -> None:
    """Its engine's connections are such."""
    engine = create_engine("postgresql+psycopg://?plugin=feature_store")
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, ImpatientConnection)
        assert driver.answer_seconds == settings.registry_timeout_seconds


async def test_a_pool_gets_over_connections_that_died_silently(
    through: Settings, line: FaultyLine
) -> None:
    """They are replaced, and nobody waits for them for ever."""
    async with connection_pool(through) as pool:
        await _read(pool)
        line.become(State.SILENT)
        with pytest.raises((psycopg.OperationalError, PoolTimeout)):
            await _read(pool)
        line.become(State.SOUND)
        async with asyncio.timeout(30):
            while not await _reads(pool):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(SHORT)


async def test_a_pool_tries_to_connect_whenever_somebody_wants_to(
    through: Settings, line: FaultyLine
) -> None:
    """However long the server has been away, it is found as soon as it is back."""
    async with connection_pool(through) as pool:
        await _read(pool)
        line.become(State.CUT)
        wanted = 20
        for _ in range(wanted):
            assert not await _reads(pool)
        assert pool.get_stats()["connections_errors"] >= wanted


async def _read(pool: Pool) -> None:
    async with asyncio.timeout(30), pool.connection() as connection:
        await connection.execute("SELECT 1")


async def _reads(pool: Pool) -> bool:
    try:
        await _read(pool)
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.parametrize(("given", "kept"), [("", 10), ("&keepalives_idle=77", 77)])
def test_a_peer_that_vanishes_is_noticed(
    settings: Settings, line: FaultyLine, given: str, kept: int
) -> None:
    """By keepalives, unless the URL says otherwise."""
    url = url_through(settings, line.port, f"?application_name=x{given}")
    through = settings.model_copy(update={"postgres_url": SecretStr(url)})
    with registry_connection(through) as connection:
        parameters = connection.info.get_parameters()
        assert parameters["keepalives_idle"] == str(kept)
        assert parameters["tcp_user_timeout"] == "10000"
