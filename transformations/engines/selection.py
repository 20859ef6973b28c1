"""Open the engine that somebody asks for by name."""

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pyarrow as pa

from foundation.errors import ConfigurationError
from foundation.settings import Settings
from transformations.engines import Engine
from transformations.engines.postgres import PostgresEngine
from transformations.engines.sources import Sources

ENGINES = ("postgres", "duckdb", "spark")
_NO_FILES = Sources()
_NO_TABLES: Mapping[str, pa.Table] = MappingProxyType({})


@contextlib.contextmanager
def open_engine(
    settings: Settings,
    name: str,
    sources: Sources,
    queries: Mapping[str, str],
    tables: Mapping[str, pa.Table] = _NO_TABLES,
) -> Iterator[Engine]:
    """
    Open an engine for the expressions inside the block.

    Args:
        settings: Say where PostgreSQL is.
        name: postgres, duckdb or spark.
        sources: Where the files are that duckdb and spark read.
        queries: SQL by table name: tables of PostgreSQL that expressions may read besides the
            source tables.
        tables: By name: what these queries read besides the tables of the database.

    Raises:
        ConfigurationError: There is no such engine, it can't run here, or files are named to one
            that reads none, or not to one that does.
        ContractViolation: Files are not what they should be.
        StoreUnavailable: PostgreSQL can't be reached.
    """
    if name not in ENGINES:
        raise ConfigurationError(
            f"there is no engine {name!r}", hint=f"Engines are {', '.join(ENGINES)}."
        )
    opened: contextlib.AbstractContextManager[Engine]
    if name == PostgresEngine.name:
        if sources != _NO_FILES:
            raise ConfigurationError(
                "the engine postgres reads the source tables, no files",
                hint="Name files to duckdb or spark only.",
            )
        opened = PostgresEngine.open(settings, queries, tables)
    elif sources.events is None:
        raise ConfigurationError(f"the engine {name} needs to know where the files of events are")
    else:
        opened = _open_over_files(settings, name, sources, queries, tables)
    with opened as engine:
        yield engine


def _open_over_files(
    settings: Settings,
    name: str,
    sources: Sources,
    queries: Mapping[str, str],
    tables: Mapping[str, pa.Table],
) -> contextlib.AbstractContextManager[Engine]:
    if name == "duckdb":
        from transformations.engines.duckdb import DuckDBEngine  # noqa: PLC0415 - loads a database

        return DuckDBEngine.open(settings, sources, queries, tables)
    from transformations.engines.spark import SparkEngine  # noqa: PLC0415 - loads an extra

    return SparkEngine.open(settings, sources, queries, tables)
