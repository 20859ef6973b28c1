"""Run expressions in PostgreSQL and hand their results on as Arrow."""

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Self

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from foundation.arrow_postgres import (
    ArrowConnection,
    connect_arrow,
    record_batches,
    translated_errors,
)
from foundation.settings import Settings

# Parallel and shared scans add up floats in an order that differs from run to run.
_TRANSACTION = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET LOCAL max_parallel_workers_per_gather = 0",
    "SET LOCAL synchronize_seqscans = off",
    # Compiling these queries takes several times as long as running them.
    "SET LOCAL jit = off",
)


# Vectors may have thousands of numbers.
_BYTES_PER_BATCH = 67_108_864
_HINT = "`python -m feature_repo migrate` brings the tables up to date."
_NO_QUERIES: Mapping[str, str] = MappingProxyType({})
_NO_TABLES: Mapping[str, pa.Table] = MappingProxyType({})


class PostgresEngine:
    """
    Executes Ibis expressions where the source tables are.

    Args:
        connection: In a transaction.
        queries: SQL by table name: tables that expressions may read besides those of the database.
    """

    name = "postgres"

    def __init__(
        self,
        connection: ArrowConnection,
        queries: Mapping[str, str] = _NO_QUERIES,
    ) -> None:
        self._connection = connection
        self._queries = queries

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        settings: Settings,
        queries: Mapping[str, str] = _NO_QUERIES,
        tables: Mapping[str, pa.Table] = _NO_TABLES,
    ) -> Iterator[Self]:
        """
        Connect; every expression inside the block sees the same state of the tables.

        Args:
            settings: Say where PostgreSQL is.
            queries: SQL by table name, as for the class.
            tables: By name: what queries read besides the tables of the database.

        Raises:
            StoreUnavailable: PostgreSQL can't be reached.
        """
        with connect_arrow(settings) as connection, connection.cursor() as cursor:
            with translated_errors("a transaction"):
                for statement in _TRANSACTION:
                    cursor.execute(statement)
                for name, rows in tables.items():
                    cursor.adbc_ingest(name, rows, mode="create", temporary=True)
                cursor.execute("SET TRANSACTION READ ONLY")
            yield cls(connection, queries)

    def execute(self, expression: ir.Table) -> pa.Table:
        """
        Return the rows of an expression.

        Raises:
            ContractViolation: PostgreSQL refuses it: a table or column that the expression reads
                does not exist, for example.
            StoreUnavailable: It took too long, or the connection broke.
        """
        statement = with_queries(str(ibis.to_sql(expression, dialect="postgres")), self._queries)
        with (
            self._connection.cursor() as cursor,
            translated_errors("the computation", hint=_HINT),
        ):
            cursor.execute(statement)
            return cursor.fetch_arrow_table()

    def read_table(self, table: ops.UnboundTable) -> pa.Table:
        """Return the rows of a table that an expression names, in the columns that it knows."""
        return self.execute(table.to_expr()).select(list(table.schema.names))

    def stream(self, query: str, *, rows_per_batch: int) -> Iterator[pa.Table]:
        """
        Yield the rows of a SELECT in tables, without holding them all.

        Args:
            query: SQL.
            rows_per_batch: About how many rows a table has; fewer, if they are large.

        Raises:
            ContractViolation: PostgreSQL refuses the query.
            StoreUnavailable: It took too long, or the connection broke.
        """
        with self._connection.cursor() as cursor, translated_errors("a query", hint=_HINT):
            cursor.execute(query)
            waiting: list[pa.RecordBatch] = []
            for batch in record_batches(cursor):
                waiting.append(batch)
                rows = sum(each.num_rows for each in waiting)
                byte_count = sum(each.nbytes for each in waiting)
                if rows >= rows_per_batch or byte_count >= _BYTES_PER_BATCH:
                    yield pa.Table.from_batches(waiting)
                    waiting = []
            if waiting:
                yield pa.Table.from_batches(waiting)


def with_queries(statement: str, queries: Mapping[str, str]) -> str:
    """Return a SELECT that may read queries by their names."""
    if not queries:
        return statement
    named = ", ".join(f'"{name}" AS ({query})' for name, query in queries.items())
    body = statement.strip()
    has_own = body[:5].upper() == "WITH "
    return f"WITH {named}, {body[5:]}" if has_own else f"WITH {named} {body}"
