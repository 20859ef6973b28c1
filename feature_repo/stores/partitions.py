"""The months of the history: one partition each."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import LiteralString, NamedTuple

from psycopg import errors, sql

from foundation.postgres import Connection

# As text, so that every driver reads it.
PARTITIONS = """
SELECT child.relname::text AS name, pg_get_expr(child.relpartbound, child.oid) AS bounds
FROM pg_inherits
JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'feature_values'::regclass ORDER BY 1
"""

# Before a transaction's first query: what it then sees is what it can read, for no month is dropped
# until it ends.
HOLD_MONTHS: LiteralString = "LOCK TABLE feature_values IN ACCESS SHARE MODE"

# Of the month that begins then Python has no end.
HISTORY_END = datetime(9999, 12, 1, tzinfo=UTC)

_LOCK_MONTH = "LOCK TABLE {name} IN ROW EXCLUSIVE MODE"
# One creates at a time. Those who read and write meanwhile are not made to wait, as they would be
# by CREATE TABLE ... PARTITION OF.
_LOCK_CREATION: LiteralString = "LOCK TABLE ONLY feature_values IN SHARE UPDATE EXCLUSIVE MODE"
_CREATE = "CREATE TABLE {name} (LIKE feature_values INCLUDING DEFAULTS INCLUDING INDEXES)"
_ATTACH = "ALTER TABLE feature_values ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})"


class Month(NamedTuple):
    """A partition of the history, which holds [start, end)."""

    name: str
    start: datetime
    end: datetime


def months(connection: Connection) -> list[Month]:
    """Return the months that PostgreSQL holds, ascending."""
    return [month(*row) for row in connection.execute(PARTITIONS).fetchall()]


def month(name: str, bounds: str) -> Month:
    """Return a partition from its name and its bounds as PostgreSQL writes them."""
    _, start, _, end, _ = bounds.split("'")
    return Month(name, datetime.fromisoformat(start), datetime.fromisoformat(end))


def month_of(instant: datetime) -> Month:
    """Return the month, in UTC, that an instant before `HISTORY_END` lies in."""
    start = instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    # %Y does not pad years.
    return Month(f"feature_values_{start.year:04}_{start.month:02}", start, end)


def keep_months(connection: Connection, instants: Iterable[datetime]) -> None:
    """
    Create the months of instants that are not there, and let none be dropped for now.

    That is until the transaction ends. A month is locked before the history as a whole is, in the
    order of who drops it, and all that exist before one is created, so that nobody waits for each
    other.

    Args:
        connection: In a transaction that has written nothing to the history yet, or only to these
            months.
        instants: Aware.
    """
    wanted = sorted({month_of(instant) for instant in instants})
    for missing in [each for each in wanted if not _is_locked(connection, each)]:
        _create(connection, missing)


def gaps(
    found: Iterable[Month], *, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """
    Return the parts of a time that no month covers.

    Args:
        found: Months, ascending.
        start: First instant.
        end: Last instant.

    Returns:
        Half-open parts of [start, end], ascending.
    """
    parts = []
    for each in found:
        if start < min(each.start, end):
            parts.append((start, min(each.start, end)))
        start = max(start, each.end)
    return [*parts, (start, end)] if start < end else parts


def _is_locked(connection: Connection, wanted: Month) -> bool:
    """Lock a month; tell whether it is there."""
    statement = sql.SQL(_LOCK_MONTH).format(name=sql.Identifier(wanted.name))
    try:
        with connection.transaction():  # within the one around, which goes on
            connection.execute(statement)
    except errors.UndefinedTable:
        return False
    return True


def _create(connection: Connection, wanted: Month) -> None:
    connection.execute(_LOCK_CREATION)
    # Somebody may have been faster.
    found = connection.execute("SELECT to_regclass(%s)", (wanted.name,)).fetchone()
    if found is None or found[0] is None:
        name = sql.Identifier(wanted.name)
        start, end = (sql.Literal(each.isoformat()) for each in (wanted.start, wanted.end))
        connection.execute(sql.SQL(_CREATE).format(name=name))
        connection.execute(sql.SQL(_ATTACH).format(name=name, start=start, end=end))
