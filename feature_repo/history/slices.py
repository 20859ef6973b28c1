"""The slice of the stored values that entity rows need, and nothing else, as Arrow."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, Self

import adbc_driver_manager
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
from foundation.arrow_postgres import ArrowConnection, connect_arrow
from foundation.errors import ContractViolation, StoreUnavailable
from foundation.settings import Settings

# One state of the tables for all that is read; texts of timestamps as ours are.
_SESSION: tuple[LiteralString, ...] = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET LOCAL TimeZone = 'UTC'",
    # Compiling these queries takes longer than it saves.
    "SET LOCAL jit = off",
)
# To look entities up one by one costs more than to read them all, unless they are few: less than
# half of those that have a value, or, if nobody knows how many those are, so many.
_FEW_ENTITIES = 10_000


@dataclass(frozen=True)
class Window:
    """Event timestamps that count, the first and the last included."""

    start: datetime
    end: datetime


class SliceReader:
    """
    Reads values from PostgreSQL, all of one state of its tables.

    Args:
        connection: In a transaction.
    """

    def __init__(self, connection: ArrowConnection) -> None:
        self._connection = connection
        self._entity_tables: list[tuple[pa.Array, str]] = []

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        settings: Settings,
        *,
        timeout_seconds: float | None = None,
        state: str | None = None,
    ) -> Iterator[Self]:
        """
        Connect.

        Args:
            settings: Say where PostgreSQL is.
            timeout_seconds: Limit of each query; None: the server's.
            state: Of which another reader reads, as its `state` returned it; None: as it is now.

        Raises:
            StoreUnavailable: PostgreSQL can't be reached.
        """
        with connect_arrow(settings) as connection:
            with connection.cursor() as cursor, _translated_errors():
                for statement in _SESSION:
                    cursor.execute(statement)
                if timeout_seconds is not None:
                    cursor.execute(f"SET LOCAL statement_timeout = {timeout_seconds * 1_000:.0f}")
                if state is None:
                    cursor.execute(HOLD_MONTHS)
                else:  # whose reader holds them
                    cursor.execute(f"SET TRANSACTION SNAPSHOT '{state}'")
            yield cls(connection)

    def query(self, statement: str) -> pa.Table:
        """
        Return the rows of a query.

        Raises:
            ContractViolation: PostgreSQL refuses it.
            StoreUnavailable: It took too long, or the connection broke.
        """
        with self._connection.cursor() as cursor, _translated_errors():
            cursor.execute(statement)
            return cursor.fetch_arrow_table()

    def state(self) -> str:
        """Return a name of the tables' state, good until the reader is closed."""
        return str(self.query("SELECT pg_export_snapshot()")[0][0].as_py())

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
        return _typed(self.query(history_query(wanted, known_then=terms.known_then)), feature)

    def versions(self, feature: FeatureVersion, ids: pa.Array | None, window: Window) -> pa.Table:
        """
        Return all that the history ever said; see `history`.

        Returns:
            entity_id, value, timestamp, created, replaced; the last is null of what it says now.
        """
        wanted = self._slice(feature, ids, window, Terms(known_then=True))
        return _typed(self.query(versions_query(wanted)), feature)

    def stream(self, feature: FeatureVersion, window: Window) -> Iterator[pa.Table]:
        """Yield what `history` returns of all that is known now, some megabytes a time."""
        wanted = self._slice(feature, None, window, Terms())
        with self._connection.cursor() as cursor, _translated_errors():
            cursor.execute(history_query(wanted, known_then=False))
            for batch in cursor.fetch_record_batch():
                yield _typed(pa.Table.from_batches([batch]), feature)

    def latest(
        self, feature: FeatureVersion, ids: pa.Array, window: Window, terms: Terms
    ) -> pa.Table:
        """Return latest values; see `history`."""
        wanted = self._slice(feature, ids, window, terms)
        return _typed(self.query(latest_query(wanted)), feature)

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
        known: int = self.query(count_latest_query(feature))[0][0].as_py()
        return len(ids) <= (known // 2 if known else _FEW_ENTITIES)

    def _entity_table(self, ids: pa.Array) -> str:
        """Return the name of a temporary table of entity ids; the same ids share one."""
        for known, name in self._entity_tables:
            if known is ids:
                return name
        name = f"wanted_entities_{len(self._entity_tables)}"
        # PostgreSQL's text holds no NUL, so no such entity has values.
        storable = ids.filter(pc.invert(pc.match_substring(ids, "\0")))
        rows = pa.table({"entity_id": storable})
        with self._connection.cursor() as cursor, _translated_errors():
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


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except adbc_driver_manager.ProgrammingError as error:
        raise ContractViolation(f"PostgreSQL refused a query: {_reason(error)}") from error
    except adbc_driver_manager.Error as error:
        raise StoreUnavailable(f"PostgreSQL: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return str(error).partition("\n\nQuery was")[0]
