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

# What a transaction writes bears the time of its start: until all that started before an instant
# have ended, more may appear that bears an earlier time. Everybody may see that a transaction runs,
# by the lock that it holds on itself; when it started is told to its own role and to those that may
# read all statistics. Of roles that may not write what training reads, none matters.
_RUNNING = """
SELECT now(), running.virtualxid, activity.xact_start, activity.usename, activity.pid
FROM (SELECT) AS always LEFT JOIN (
    pg_stat_activity AS activity JOIN pg_locks AS running USING (pid)
) ON running.locktype = 'virtualxid' AND running.mode = 'ExclusiveLock'
    AND activity.datname = current_database() AND activity.pid <> pg_backend_pid()
    AND (has_table_privilege(activity.usesysid, 'feature_values', 'INSERT, UPDATE')
         OR has_table_privilege(activity.usesysid, 'products', 'INSERT, UPDATE'))
"""


@dataclass(frozen=True)
class Settled:
    """
    An instant before which nothing more will be written.

    Attributes:
        instant: It is the newest one.
        lag: How long ago it was.
        held_by: Whose open transaction it is that holds it back; empty if none does.
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
        now, running = _running(connection)
        hidden = {each for each in running if each.started is None}
        while hidden:
            if time.monotonic() >= deadline:
                raise _unsettled(hidden.pop())
            time.sleep(_PAUSE_SECONDS)
            hidden &= set(_running(connection)[1])
    visible = [(each.started, each) for each in running if each.started is not None]
    if not visible:
        return Settled(now, timedelta(0), "")
    started, oldest = min(visible)
    instant = min(now, started - _MICROSECOND)
    return Settled(instant, now - instant, f"role {oldest.role}, process {oldest.process}")


def _running(connection: Connection) -> tuple[datetime, list[_Transaction]]:
    """Return the current instant, and the transactions that may still write."""
    rows = connection.execute(_RUNNING).fetchall()
    return rows[0][0], [_Transaction(*row[1:]) for row in rows if row[1] is not None]


def _unsettled(transaction: _Transaction) -> ConfigurationError:
    return ConfigurationError(
        f"a transaction of role {transaction.role}, process {transaction.process}, does not end, "
        "and when it started is not told: what it writes may count or not",
        hint="Try again once it has ended, or let your role know: "
        "GRANT pg_read_all_stats TO CURRENT_USER.",
    )
