"""Connections to PostgreSQL whose results are Arrow, with driver errors translated."""

import contextlib
from collections.abc import Iterator
from typing import TypeAlias

import adbc_driver_manager
import adbc_driver_postgresql.dbapi

from foundation.endpoints import resolve_endpoints
from foundation.errors import StoreUnavailable
from foundation.settings import Settings

ArrowConnection: TypeAlias = adbc_driver_postgresql.dbapi.Connection


@contextlib.contextmanager
def connect_arrow(settings: Settings) -> Iterator[ArrowConnection]:
    """
    Open a connection; what is executed inside the block is one transaction, rolled back at its end.

    Args:
        settings: Say where the server is.

    Raises:
        StoreUnavailable: The server can't be reached.
    """
    url = resolve_endpoints(settings).postgres_url.get_secret_value()
    try:
        connection = adbc_driver_postgresql.dbapi.connect(url)
    except adbc_driver_manager.Error as error:
        raise StoreUnavailable(
            f"PostgreSQL: {error}", hint="Is it running? `make up` starts the embedded one."
        ) from error
    with connection:
        yield connection
