"""Connections to PostgreSQL, with driver errors translated at the boundary."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from foundation.endpoints import resolve_endpoints
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.settings import Settings

Connection = psycopg.Connection[tuple[Any, ...]]
Pool = AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]]

_OPTIONS = "-c timezone=UTC"
_APPLICATION = "feature-store"

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
    url = resolve_endpoints(settings).postgres_url.get_secret_value()
    try:
        with psycopg.connect(
            url,
            connect_timeout=settings.postgres_connect_timeout_seconds,
            options=_OPTIONS,
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
    url = resolve_endpoints(settings).postgres_url.get_secret_value()
    limit_seconds = settings.on_demand_timeout_seconds
    return AsyncConnectionPool(
        url,
        min_size=1,
        max_size=settings.postgres_max_connections,
        timeout=limit_seconds,
        # A connection that died in the pool costs its next user a round trip, not a failure.
        check=AsyncConnectionPool.check_connection,
        open=False,
        kwargs={
            "autocommit": True,
            "application_name": _APPLICATION,
            "connect_timeout": settings.postgres_connect_timeout_seconds,
            "options": f"{_OPTIONS} -c statement_timeout={1_000 * limit_seconds:.0f}",
        },
    )


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
