"""The months of the history: one partition each."""

from datetime import datetime
from typing import NamedTuple

from foundation.postgres import Connection

# As text, so that every driver reads it.
PARTITIONS = """
SELECT child.relname::text AS name, pg_get_expr(child.relpartbound, child.oid) AS bounds
FROM pg_inherits
JOIN pg_class child ON child.oid = inhrelid
JOIN pg_class parent ON parent.oid = inhparent
WHERE parent.relname = 'feature_values' ORDER BY 1
"""


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


def gaps(found: list[Month], *, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
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
