"""Run expressions in Spark, over Parquet files."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Self

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from foundation.errors import ConfigurationError, ContractViolation
from foundation.settings import Settings
from transformations.engines.java import java_for_spark
from transformations.engines.postgres import PostgresEngine
from transformations.engines.sources import Sources, check_columns
from transformations.engines.spark_sql import SparkCompiler
from transformations.source_tables import SCHEMAS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Who brings a configuration of their own has all of it.
_OWN_CONFIGURATION = ("SPARK_CONF_DIR", "SPARK_HOME")
_LOCAL = {
    "spark.driver.memory": "2g",
    "spark.log.level": "ERROR",
    "spark.sql.shuffle.partitions": "8",  # the 200 of a cluster are far too many here
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_TYPES = {"string": "string", "float64": "double", "timestamp('UTC')": "timestamp"}


class SparkEngine:
    """
    Executes Ibis expressions over Parquet files; tables without files come from PostgreSQL.

    Args:
        session: Of its own: it gets tables and settings.
        postgres: Has the tables that have no files.
    """

    name = "spark"

    def __init__(self, session: "SparkSession", postgres: PostgresEngine) -> None:
        self._session = session
        self._postgres = postgres
        self._tables: set[str] = set()
        self._backend = ibis.pyspark.connect(session)
        self._backend.compiler = SparkCompiler()

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
        Join the Spark that runs, or start one, and connect to PostgreSQL for what has no files.

        Spark is the server that SPARK_REMOTE names, or what the configuration in SPARK_CONF_DIR or
        SPARK_HOME says, or else the processors of this machine. It runs on until the process ends.

        Args:
            settings: Say where PostgreSQL is.
            sources: Where the files are, as Spark knows them: `s3a://` for S3.
            queries: SQL by table name: tables of PostgreSQL that expressions may read besides the
                source tables.
            tables: By name: what these queries read besides the tables of the database.

        Raises:
            ConfigurationError: Spark is not installed or can't start, or there are no such files.
            ContractViolation: A column of the files is missing or of another type.
            StoreUnavailable: PostgreSQL can't be reached.
        """
        with PostgresEngine.open(settings, queries, tables) as postgres:
            engine = cls(_new_session(), postgres)
            try:
                for table_name, path in sources.by_table().items():
                    engine._register(table_name, _read_files(engine._session, table_name, path))
                yield engine
            finally:
                for table_name in engine._tables:
                    engine._session.catalog.dropTempView(table_name)

    def execute(self, expression: ir.Table) -> pa.Table:
        """
        Return the rows of an expression.

        Raises:
            ContractViolation: A table or column that the expression reads does not exist, or a file
                does not hold what its schema says.
        """
        from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra

        for table in expression.op().find(ops.UnboundTable):
            if table.name not in self._tables:
                rows = self._postgres.read_table(table)
                self._register(table.name, self._session.createDataFrame(rows))
        try:
            return self._session.sql(self._backend.compile(expression)).toArrow()
        except PySparkException as error:
            raise ContractViolation(f"Spark refused the computation: {_reason(error)}") from error

    def _register(self, table_name: str, rows: "DataFrame") -> None:
        rows.createOrReplaceTempView(table_name)
        self._tables.add(table_name)


def _new_session() -> "SparkSession":
    try:
        from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra
        from pyspark.sql import SparkSession  # noqa: PLC0415 - the same
    except ImportError as error:
        raise ConfigurationError(
            "the engine spark is not installed", hint="Install the extra `spark`."
        ) from error
    builder = SparkSession.builder.appName("feature-store")
    remote = "SPARK_REMOTE" in os.environ
    if not remote and not any(variable in os.environ for variable in _OWN_CONFIGURATION):
        for key, value in _LOCAL.items():
            builder = builder.config(key, value)
    try:
        with contextlib.nullcontext() if remote else java_for_spark():
            session = builder.getOrCreate().newSession()
    except PySparkException as error:
        raise ConfigurationError(
            f"Spark does not start: {_reason(error)}",
            hint="Its own messages stand above; it needs a Java 17 or later.",
        ) from error
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


def _read_files(session: "SparkSession", table_name: str, path: str) -> "DataFrame":
    """Return the rows of a source table's files, each column in its type."""
    from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra
    from pyspark.sql.pandas.types import to_arrow_schema  # noqa: PLC0415 - the same

    try:
        rows = session.read.parquet(path)
        found = to_arrow_schema(rows.schema, timezone="UTC")
    except PySparkException as error:
        raise ConfigurationError(
            f"{table_name}: Spark can't read {path}: {_reason(error)}"
        ) from error
    check_columns(path, table_name, {field.name: field.type for field in found})
    return rows.select(
        *(
            rows[name].cast(_TYPES[str(dtype(nullable=True))]).alias(name)
            for name, dtype in SCHEMAS[table_name].items()
        )
    )


def _reason(error: Exception) -> str:
    """Return the first line of a message; what follows is for those who develop Spark."""
    return str(error).partition("\n")[0]
