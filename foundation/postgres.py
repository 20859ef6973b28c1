"""Connections to PostgreSQL, with driver errors translated at the boundary."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg

from foundation.endpoints import resolve_endpoints
from foundation.errors import StoreUnavailable
from foundation.settings import Settings

Connection = psycopg.Connection[tuple[Any, ...]]


@contextlib.contextmanager
def connect(settings: Settings, *, autocommit: bool = False) -> Iterator[Connection]:
    """
    Open a connection in UTC; leaving the block commits, an exception rolls back.

    Args:
        settings: Say where the server is.
        autocommit: Whether each statement outside `connection.transaction()` commits by itself.

    Raises:
        StoreUnavailable: The server can't be reached, or the connection broke on the way.
    """
    url = resolve_endpoints(settings).postgres_url.get_secret_value()
    try:
        with psycopg.connect(
            url,
            connect_timeout=settings.postgres_connect_timeout_seconds,
            options="-c timezone=UTC",
            application_name="feature-store",
            autocommit=autocommit,
        ) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise StoreUnavailable(
            f"PostgreSQL: {str(error).strip()}",
            hint="Is it running? `make up` starts the embedded one.",
        ) from error
