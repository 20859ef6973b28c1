"""Connections to PostgreSQL, with driver errors translated at the boundary."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from foundation.endpoints import resolve_endpoints
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.impatient_connections import AsyncImpatientConnection, ImpatientConnection
from foundation.settings import Settings

Connection = psycopg.Connection[tuple[Any, ...]]
Pool = AsyncConnectionPool[AsyncImpatientConnection]

_OPTIONS = "-c timezone=UTC"
_APPLICATION = "feature-store"
# A peer that is gone without a word is noticed, even while one waits; a URL may say otherwise.
_LIVENESS = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# The server ends a statement at its limit itself; one that does not is dead, or the way to it is.
_LIMITS_PER_ANSWER = 2.0

_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"


@contextlib.contextmanager
def connect(settings: Settings, *, autocommit: bool = False) -> Iterator[Connection]:
    """
    Open a connection in UTC; leaving the block commits, an exception rolls back.

    Args:
        settings: Say where the server is.
        autocommit: Whether each statement outside `connection.transaction()` commits by itself.

    Raises:
        StoreUnavailable: The server can't be reached, or the connection broke on the way.
        ConfigurationError: The schema lacks a table that the block asked for.
    """
    try:
        with psycopg.connect(
            _connection_info(settings, _OPTIONS),
            connect_timeout=settings.postgres_connect_timeout_seconds,
            application_name=_APPLICATION,
            autocommit=autocommit,
        ) as connection:
            yield connection
    except psycopg.errors.UndefinedTable as error:
        raise ConfigurationError(
            f"PostgreSQL: {str(error).splitlines()[0]}",
            hint="Bring the schema up to date: `python -m feature_repo migrate`.",
        ) from error
    except psycopg.OperationalError as error:
        raise StoreUnavailable(
            f"PostgreSQL: {str(error).strip()}",
            hint="Is it running? `make up` starts the embedded one.",
        ) from error


def connection_pool(settings: Settings) -> Pool:
    """
    Return a pool of connections in UTC for serving; it connects once it is opened.

    Each statement commits by itself. Waiting for a connection, or for a statement to end, has the
    limits of on-demand computation, the longest that a request waits for.
    """
    limit_seconds = settings.on_demand_timeout_seconds
    options = f"{_OPTIONS} -c statement_timeout={1_000 * limit_seconds:.0f}"

    async def limit_answers(connection: AsyncImpatientConnection) -> None:
        connection.answer_seconds = _LIMITS_PER_ANSWER * limit_seconds

    return AsyncConnectionPool(
        _connection_info(settings, options),
        connection_class=AsyncImpatientConnection,
        configure=limit_answers,
        min_size=1,
        max_size=settings.postgres_max_connections,
        timeout=limit_seconds,
        # Who wants a connection has one tried at once: after a long outage the pool would wait for
        # minutes before it tries again.
        reconnect_timeout=0.0,
        # A connection that died in the pool costs its next user a round trip, not a failure.
        check=AsyncConnectionPool.check_connection,
        open=False,
        kwargs={
            "autocommit": True,
            "application_name": _APPLICATION,
            "connect_timeout": settings.postgres_connect_timeout_seconds,
        },
    )


def registry_connection(settings: Settings) -> ImpatientConnection:
    """
    Return a connection for Feast's registry.

    Raises:
        psycopg.OperationalError: The server can't be reached; Feast knows the driver's errors.
    """
    connection = ImpatientConnection.connect(
        _connection_info(settings),
        connect_timeout=settings.postgres_connect_timeout_seconds,
        application_name=_APPLICATION,
    )
    connection.answer_seconds = settings.registry_timeout_seconds
    return connection


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """
    Let the driver's errors leave as ours.

    Raises:
        StoreUnavailable: PostgreSQL can't be reached, is too slow, or refuses.
    """
    try:
        yield
    except psycopg.Error as error:
        first_line, _, _ = str(error).partition("\n")  # what follows may quote values
        raise StoreUnavailable(f"PostgreSQL: {first_line}") from error


@contextlib.contextmanager
def advisory_lock(connection: Connection, name: str) -> Iterator[bool]:
    """
    Try to hold a lock while the block runs, and tell whether it is held.

    It goes with the connection, even if that is killed.

    Args:
        connection: Outside a transaction.
        name: Whoever else uses it is kept out.
    """
    row = connection.execute(_TRY_LOCK, (name,)).fetchone()
    is_held = row is not None and bool(row[0])
    try:
        yield is_held
    finally:
        if is_held:
            connection.execute(_UNLOCK, (name,))


def _connection_info(settings: Settings, options: str = "") -> str:
    """
    Return where the server is.

    Args:
        settings: Say so.
        options: Of the session, after those that the URL has, such as a `search_path`.
    """
    url = resolve_endpoints(settings).postgres_url.get_secret_value()
    given = conninfo_to_dict(url)
    parameters = {k: v for k, v in _LIVENESS.items() if k not in given}
    return make_conninfo(url, **parameters, options=f"{given.get('options', '')} {options}".strip())
