"""Run expressions in DuckDB, over Parquet files."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Self

import duckdb
import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from foundation.errors import ConfigurationError, ContractViolation
from foundation.settings import Settings
from transformations.engines.postgres import PostgresEngine
from transformations.engines.sources import Sources, open_dataset
from transformations.source_tables import SCHEMAS

_OPTIONS = {
    # Several would add up floats in an order that differs from run to run. Files are read by
    # pyarrow, with as many as there are processors.
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_TYPES = {"string": "VARCHAR", "float64": "DOUBLE", "timestamp('UTC')": "TIMESTAMPTZ"}


class DuckDBEngine:
    """
    Executes Ibis expressions over Parquet files; tables without files come from PostgreSQL.

    Args:
        connection: Knows the tables that have files.
        postgres: Has the others.
    """

    name = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection, postgres: PostgresEngine) -> None:
        self._connection = connection
        self._postgres = postgres

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        settings: Settings,
        sources: Sources,
        queries: Mapping[str, str],
        tables: Mapping[str, pa.Table],
    ) -> Iterator[Self]:
        """
        Open the files, and connect to PostgreSQL for what they don't hold.

        Args:
            settings: Say where PostgreSQL is, and how much memory DuckDB may take.
            sources: Where the files are.
            queries: SQL by table name: tables of PostgreSQL that expressions may read besides the
                source tables.
            tables: By name: what these queries read besides the tables of the database.

        Raises:
            ConfigurationError: There are no such files, or they can't be read.
            ContractViolation: They are not Parquet, or a column is missing or of another type.
            StoreUnavailable: PostgreSQL can't be reached.
        """
        with (
            PostgresEngine.open(settings, queries, tables) as postgres,
            tempfile.TemporaryDirectory(prefix="duckdb-") as folder,
            duckdb.connect(
                config={
                    **_OPTIONS,
                    "memory_limit": f"{settings.duckdb_memory_megabytes}MiB",
                    "temp_directory": folder,
                }
            ) as connection,
        ):
            connection.execute("SET TimeZone = 'UTC'")
            for table_name, path in sources.by_table().items():
                rows = connection.from_arrow(open_dataset(path, table_name))
                rows.project(_typed_columns(table_name)).create_view(table_name)
            yield cls(connection, postgres)

    def execute(self, expression: ir.Table) -> pa.Table:
        """
        Return the rows of an expression.

        Raises:
            ConfigurationError: DuckDB needs more memory than it may take.
            ContractViolation: A table or column that the expression reads does not exist, or a file
                does not hold what its schema says.
        """
        self._fetch_tables(expression)
        try:
            found = self._connection.execute(str(ibis.to_sql(expression, dialect="duckdb")))
            return found.to_arrow_table()
        except duckdb.OutOfMemoryException as error:
            raise ConfigurationError(
                f"DuckDB: {error}", hint="Raise FEATURE_STORE_DUCKDB_MEMORY_MEGABYTES."
            ) from error
        except duckdb.Error as error:
            raise ContractViolation(f"DuckDB refused the computation: {error}") from error

    def _fetch_tables(self, expression: ir.Table) -> None:
        """Get the tables that an expression reads, and no file holds, from PostgreSQL."""
        known = {name for (name,) in self._connection.execute("SHOW TABLES").fetchall()}
        for table in expression.op().find(ops.UnboundTable):
            if table.name not in known:
                self._connection.register(table.name, self._postgres.read_table(table))


def _typed_columns(table_name: str) -> str:
    """Return SQL of a source table's columns, each in its type; free where files have it so."""
    return ", ".join(
        f'CAST("{name}" AS {_TYPES[str(dtype(nullable=True))]}) AS "{name}"'
        for name, dtype in SCHEMAS[table_name].items()
    )
