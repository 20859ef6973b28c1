"""The slice of the stored values that entity rows need, and nothing else, as Arrow."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString, Self

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.history.terms import Terms
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.archived_parts import ARCHIVED_PARTS, ArchivedPart, archived_part
from feature_repo.stores.partitions import HOLD_MONTHS, PARTITIONS, Month, month
from feature_repo.stores.sql import (
    Slice,
    count_latest_query,
    history_query,
    latest_query,
    versions_query,
)
from foundation.arrow_postgres import (
    ArrowConnection,
    connect_again,
    connect_arrow,
    record_batches,
    translated_errors,
)
from foundation.settings import Settings

# One state of the tables for all that is read; texts of timestamps as ours are.
_SESSION: tuple[LiteralString, ...] = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET LOCAL TimeZone = 'UTC'",
    # Compiling these queries takes longer than it saves.
    "SET LOCAL jit = off",
)
# To look entities up one by one costs more than to read them all, unless they are few: a quarter of
# those that have a value, or, if nobody knows how many those are, so many.
_FEW_SHARE = 4
_FEW_ENTITIES = 10_000


@dataclass(frozen=True)
class Window:
    """Event timestamps that count, the first and the last included."""

    start: datetime
    end: datetime

    @classmethod
    def before(cls, first: datetime, last: datetime, *, look_back: timedelta) -> Self:
        """Return what counts for rows from a first to a last instant; the first year begins it."""
        start = first - min(look_back, first - datetime.min.replace(tzinfo=UTC))
        return cls(start, last)


class SliceReader:
    """
    Reads values from PostgreSQL, all of one state of its tables.

    Args:
        connection: In a transaction.
        timeout_seconds: Limit of each query; None: the server's.
        state: Name of the state, from the reader that was the first of it; None: this is the first.
    """

    def __init__(
        self, connection: ArrowConnection, *, timeout_seconds: float | None, state: str | None
    ) -> None:
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        self._entity_tables: list[tuple[pa.Array, str]] = []
        with connection.cursor() as cursor, translated_errors("a transaction"):
            for statement in _SESSION:
                cursor.execute(statement)
            if state is not None:  # whose first reader holds the months
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{state}'")
            if timeout_seconds is not None:
                cursor.execute(f"SET LOCAL statement_timeout = {timeout_seconds * 1_000:.0f}")
            if state is None:
                cursor.execute(HOLD_MONTHS)
        self._state = state or str(self.query("SELECT pg_export_snapshot()")[0][0].as_py())

    @classmethod
    @contextlib.contextmanager
    def open(cls, settings: Settings, *, timeout_seconds: float | None = None) -> Iterator[Self]:
        """
        Connect.

        Args:
            settings: Say where PostgreSQL is.
            timeout_seconds: Limit of each query; None: the server's.

        Raises:
            StoreUnavailable: PostgreSQL can't be reached.
        """
        with connect_arrow(settings) as connection:
            yield cls(connection, timeout_seconds=timeout_seconds, state=None)

    @contextlib.contextmanager
    def open_another(self) -> Iterator[Self]:
        """
        Connect once more, to read of the same state at the same time.

        Raises:
            StoreUnavailable: PostgreSQL can't be reached.
        """
        with connect_again(self._connection) as connection:
            yield type(self)(connection, timeout_seconds=self._timeout_seconds, state=self._state)

    def query(self, statement: str) -> pa.Table:
        """
        Return the rows of a query.

        Raises:
            ContractViolation: PostgreSQL refuses it.
            StoreUnavailable: It took too long, or the connection broke.
        """
        with self._connection.cursor() as cursor, translated_errors("a query"):
            cursor.execute(statement)
            return cursor.fetch_arrow_table()

    def entity_rows(self, statement: str) -> pa.Table:
        """
        Return the rows of a query that a user wrote.

        Args:
            statement: One, with comments and semicolon if it has them.

        Raises:
            ContractViolation: PostgreSQL refuses it, or two of its columns have one name.
            StoreUnavailable: It took too long, or the connection broke.
        """
        with self._connection.cursor() as cursor, translated_errors("the entity rows"):
            # As a statement's end: within another one, a comment would swallow what comes after.
            cursor.execute(f"CREATE TEMP VIEW entity_rows AS\n{statement}")
            cursor.execute("SELECT * FROM pg_temp.entity_rows")
            return cursor.fetch_arrow_table()

    def months(self) -> list[Month]:
        """Return the months of the history that PostgreSQL holds."""
        return [month(*row.values()) for row in self.query(PARTITIONS).to_pylist()]

    def archived_parts(self) -> list[ArchivedPart]:
        """Return the parts of months that PostgreSQL has dropped, ascending."""
        return [archived_part(*row.values()) for row in self.query(ARCHIVED_PARTS).to_pylist()]

    def history(
        self, feature: FeatureVersion, ids: pa.Array | None, window: Window, terms: Terms
    ) -> pa.Table:
        """
        Return values of the history.

        Args:
            feature: Whose values.
            ids: Entity ids that count, distinct, though values of others may come too; None: all.
            window: Timestamps that count.
            terms: What else decides.

        Returns:
            entity_id, value (vectors and maps as JSON text), timestamp, and, if the terms need it,
            created.
        """
        wanted = self._slice(feature, ids, window, terms)
        return self._slice_rows(wanted, history_query(wanted, known_then=terms.known_then))

    def versions(self, feature: FeatureVersion, ids: pa.Array | None, window: Window) -> pa.Table:
        """
        Return all that the history ever said; see `history`.

        Returns:
            entity_id, value, timestamp, created, replaced; the last is null of what it says now.
        """
        wanted = self._slice(feature, ids, window, Terms(known_then=True))
        return self._slice_rows(wanted, versions_query(wanted))

    def stream(self, feature: FeatureVersion, window: Window) -> Iterator[pa.Table]:
        """Yield what `history` returns of all that is known now, some megabytes a time."""
        wanted = self._slice(feature, None, window, Terms())
        with self._connection.cursor() as cursor, translated_errors("a query"):
            cursor.execute(history_query(wanted, known_then=False))
            for batch in record_batches(cursor):
                yield _typed(pa.Table.from_batches([batch]), feature)

    def latest(
        self, feature: FeatureVersion, ids: pa.Array, window: Window, terms: Terms
    ) -> pa.Table:
        """Return latest values; see `history`."""
        wanted = self._slice(feature, ids, window, terms)
        return self._slice_rows(wanted, latest_query(wanted))

    def _slice_rows(self, wanted: Slice, statement: str) -> pa.Table:
        # Of few entities each value is looked up; of all, every page is read once, in no order.
        looks_up = "off" if wanted.entity_table is None else "on"
        with self._connection.cursor() as cursor, translated_errors("a query"):
            cursor.execute(f"SET LOCAL enable_indexscan = {looks_up}")
        return _typed(self.query(statement), wanted.feature)

    def _slice(
        self, feature: FeatureVersion, ids: pa.Array | None, window: Window, terms: Terms
    ) -> Slice:
        return Slice(
            feature,
            window.start,
            window.end,
            known_at=terms.known_at,
            entity_table=self._entity_table(ids)
            if ids is not None and self._are_few(feature, ids)
            else None,
            with_created=terms.asks_when_created,
        )

    def _are_few(self, feature: FeatureVersion, ids: pa.Array) -> bool:
        enough = _FEW_SHARE * len(ids)
        known: int = self.query(count_latest_query(feature, limit=enough))[0][0].as_py()
        return known == enough if known else len(ids) <= _FEW_ENTITIES

    def _entity_table(self, ids: pa.Array) -> str:
        """Return the name of a temporary table of entity ids; the same ids share one."""
        for known, name in self._entity_tables:
            if known is ids:
                return name
        name = f"wanted_entities_{len(self._entity_tables)}"
        # PostgreSQL's text holds no NUL, so no such entity has values.
        storable = ids.filter(pc.invert(pc.match_substring(ids, "\0")))
        rows = pa.table({"entity_id": storable})
        with self._connection.cursor() as cursor, translated_errors("entities"):
            cursor.adbc_ingest(name, rows, mode="create", temporary=True)
            cursor.execute(f"ANALYZE {name}")
        self._entity_tables.append((ids, name))
        return name


def _typed(table: pa.Table, feature: FeatureVersion) -> pa.Table:
    """Return a table with numbers instead of their texts."""
    if feature.feature_type is not FeatureType.FLOAT:
        return table
    place = table.schema.get_field_index("value")
    return table.set_column(place, "value", table["value"].cast(pa.float64()))
