"""As of which instant nothing more will be written, so that what is built can be built again."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from foundation.errors import ConfigurationError
from foundation.postgres import Connection, connect
from foundation.settings import Settings

_MICROSECOND = timedelta(microseconds=1)
_PAUSE_SECONDS = 0.1
# A job writes for so long at most.
_PATIENCE_SECONDS = 60.0

# A value bears the instant at which it is written, and whoever writes holds a lock on the table
# until all may see it: what bears an earlier instant than now and can't be seen yet is of a
# transaction that holds such a lock. Everybody may see locks; when a transaction started is told to
# its own role and to those that may read all statistics.
_WRITING = """
SELECT now(), writing.virtualtransaction, activity.xact_start, activity.usename, activity.pid
FROM (SELECT) AS always LEFT JOIN (
    pg_stat_activity AS activity JOIN (
        SELECT DISTINCT pid, virtualtransaction FROM pg_locks
        WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND relation IN (SELECT relid FROM pg_partition_tree('feature_values')
                           UNION SELECT 'product_texts'::regclass)
    ) AS writing USING (pid)
) ON true
"""


@dataclass(frozen=True)
class Settled:
    """
    An instant before which nothing more will be written.

    Attributes:
        instant: It is the newest one.
        lag: How long ago it was.
        held_by: Whose transaction it is that has written and not ended; empty if there is none.
    """

    instant: datetime
    lag: timedelta
    held_by: str


class _Transaction(NamedTuple):
    name: str
    started: datetime | None
    role: str
    process: int


def settled_instant(settings: Settings, *, patience_seconds: float = _PATIENCE_SECONDS) -> Settled:
    """
    Return the newest instant before which nothing more will be written.

    Transactions of which it is not told when they started are waited for.

    Args:
        settings: Say where PostgreSQL is.
        patience_seconds: How long to wait.

    Raises:
        ConfigurationError: Somebody else's transaction does not end.
        StoreUnavailable: PostgreSQL can't be reached.
    """
    deadline = time.monotonic() + patience_seconds
    with connect(settings, autocommit=True) as connection:
        now, writing = _writing(connection)
        hidden = {each for each in writing if each.started is None}
        while hidden:
            if time.monotonic() >= deadline:
                raise _unsettled(hidden.pop())
            time.sleep(_PAUSE_SECONDS)
            hidden &= set(_writing(connection)[1])
    visible = [(each.started, each) for each in writing if each.started is not None]
    if not visible:
        return Settled(now, timedelta(0), "")
    started, oldest = min(visible)
    instant = min(now, started - _MICROSECOND)
    return Settled(instant, now - instant, f"role {oldest.role}, process {oldest.process}")


def _writing(connection: Connection) -> tuple[datetime, list[_Transaction]]:
    """Return the current instant, and the transactions that have written and not ended."""
    rows = connection.execute(_WRITING).fetchall()
    return rows[0][0], [_Transaction(*row[1:]) for row in rows if row[1] is not None]


def _unsettled(transaction: _Transaction) -> ConfigurationError:
    return ConfigurationError(
        f"a transaction of role {transaction.role}, process {transaction.process}, has written and "
        "does not end, and when it started is not told: what it wrote may count or not",
        hint="Try again once it has ended, or let your role know: "
        "GRANT pg_read_all_stats TO CURRENT_USER.",
    )
