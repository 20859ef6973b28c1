"""Connections to PostgreSQL whose results are Arrow, with driver errors translated."""

import contextlib
from collections.abc import Iterator
from typing import TypeAlias

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import pyarrow as pa
from psycopg.conninfo import make_conninfo

from foundation.endpoints import resolve_endpoints
from foundation.errors import ContractViolation, StoreUnavailable
from foundation.settings import Settings

ArrowConnection: TypeAlias = adbc_driver_postgresql.dbapi.Connection

# Classes of SQLSTATE that blame the server, not what it was asked: lost connections, deadlocks,
# lack of resources, intervention (of which limits of time are one), and errors of the system.
_OF_THE_SERVER = ("08", "40", "53", "57", "58", "XX")


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
    parameters = make_conninfo(url, connect_timeout=settings.postgres_connect_timeout_seconds)
    try:
        connection = adbc_driver_postgresql.dbapi.connect(parameters)
    except adbc_driver_manager.Error as error:
        raise StoreUnavailable(
            f"PostgreSQL: {error}", hint="Is it running? `make up` starts the embedded one."
        ) from error
    with connection:
        yield connection


@contextlib.contextmanager
def connect_again(connection: ArrowConnection) -> Iterator[ArrowConnection]:
    """
    Open one more connection to the same server, in a hundredth of the time: its types are known.

    Args:
        connection: Another thread may use it meanwhile.

    Raises:
        StoreUnavailable: The server can't be reached.
    """
    with translated_errors("a connection"):
        another = connection.adbc_clone()
    with another:
        yield another


@contextlib.contextmanager
def translated_errors(what: str, *, hint: str = "") -> Iterator[None]:
    """
    Let the errors of the driver be ours.

    Args:
        what: Was asked for.
        hint: What to do if PostgreSQL refuses it.

    Raises:
        ContractViolation: PostgreSQL refuses what was asked for.
        StoreUnavailable: It took too long, or the connection broke.
    """
    try:
        yield
    except adbc_driver_manager.Error as error:
        reason = str(error).partition("\n\nQuery was")[0]
        is_of_the_server = (
            error.sqlstate.startswith(_OF_THE_SERVER)
            if error.sqlstate
            else isinstance(error, adbc_driver_manager.OperationalError)
        )
        if is_of_the_server:
            raise StoreUnavailable(f"PostgreSQL: {reason}") from error
        raise ContractViolation(f"PostgreSQL refused {what}: {reason}", hint=hint) from error


def record_batches(cursor: adbc_driver_postgresql.dbapi.Cursor) -> Iterator[pa.RecordBatch]:
    """Yield the results of what a cursor has executed, without holding them all."""
    assert cursor._results is not None  # noqa: S101, SLF001 - it has executed something
    # What `fetch_record_batch` returns does not tell what PostgreSQL says is wrong amid them.
    yield from cursor._results.reader  # noqa: SLF001
