"""DuckDB as the place where tables in memory are worked on, within limits."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from foundation.errors import ConfigurationError

# DuckDB can't tell how many rows an Arrow table has, takes them for few, and then compares all
# pairs; 0 forbids it. It may not fetch extensions either.
_OPTIONS: dict[str, bool | int] = {
    "asof_loop_join_threshold": 0,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@contextlib.contextmanager
def open_scratch(*, memory_megabytes: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """
    Start DuckDB, with a folder for what does not fit into memory.

    Args:
        memory_megabytes: Most memory that it takes.
    """
    with tempfile.TemporaryDirectory(prefix="history-") as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            **_OPTIONS,
            "memory_limit": f"{memory_megabytes}MiB",
            "temp_directory": folder,
        }
        with duckdb.connect(config=config) as connection:
            yield connection


def query(
    connection: duckdb.DuckDBPyConnection,
    statement: str,
    parameters: Mapping[str, object] | None = None,
    **tables: pa.Table,
) -> pa.Table:
    """
    Return the rows of a query over tables.

    Args:
        connection: Of this thread.
        statement: Names the tables.
        parameters: Its parameters.
        tables: By their names.

    Raises:
        ConfigurationError: DuckDB needs more memory than it may take.
    """
    for name, table in tables.items():
        connection.register(name, table)
    try:
        return connection.execute(statement, parameters).to_arrow_table()
    except duckdb.OutOfMemoryException as error:
        raise ConfigurationError(
            f"DuckDB: {error}", hint="Raise FEATURE_STORE_DUCKDB_MEMORY_MEGABYTES."
        ) from error
    finally:
        for name in tables:
            connection.unregister(name)
