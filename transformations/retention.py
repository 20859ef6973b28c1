"""Drop what is older than it must be kept: snapshots, and partitions of the history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import LiteralString

from psycopg import errors, sql

from feature_repo.stores.partitions import Month, months
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from transformations.snapshots.manifest import midnight
from transformations.snapshots.storage import Storage
from transformations.snapshots.verification import verify

# Jobs write to the history all the time; they must not queue behind a wait for its lock.
_LOCK_TIMEOUT: LiteralString = "SET LOCAL lock_timeout = '5s'"


@dataclass(frozen=True)
class PartitionState:
    """
    What becomes of an old partition.

    Attributes:
        name: Of the partition.
        dropped: Whether it is gone, or would be.
        reason: Why it was kept; empty if it was dropped.
    """

    name: str
    dropped: bool
    reason: str


def expired_snapshots(storage: Storage, *, today: date, retention_days: int) -> list[date]:
    """Return the days whose snapshots are older than they must be kept, ascending."""
    oldest = today - timedelta(days=retention_days)
    return [day for day in storage.days() if day < oldest]


def drop_partitions(
    settings: Settings, storage: Storage, *, now: datetime, dry_run: bool
) -> list[PartitionState]:
    """
    Drop the months of the history that are older than it must be kept.

    A month goes only if every midnight at which its values were known has a snapshot that
    verifies.

    Args:
        settings: Where the history is, and how long it is kept.
        storage: Where snapshots are.
        now: Current instant.
        dry_run: Only tell what would be done.

    Returns:
        What becomes of each month that is old enough.
    """
    oldest = now - timedelta(days=settings.history_retention_days)
    states = []
    with connect(settings, autocommit=True) as connection:
        for month in months(connection):
            if month.end > oldest:
                continue
            reason = _reason_to_keep(connection, storage, month.name, month.end)
            if not reason and not dry_run:
                reason = _drop(connection, month)
            states.append(PartitionState(month.name, dropped=not reason, reason=reason))
    return states


def _reason_to_keep(connection: Connection, storage: Storage, name: str, end: datetime) -> str:
    row = connection.execute(
        sql.SQL('SELECT min("timestamp"), max("timestamp") FROM {}').format(sql.Identifier(name))
    ).fetchone()
    if row is None or row[0] is None:
        return ""
    days = _midnights(row[0], min(row[1] + timedelta(days=1), end))
    problems = [problem for day in days for problem in verify(storage, day)]
    return "; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")  # noqa: PLR2004 - a few will do


def _midnights(first: datetime, last: datetime) -> Sequence[date]:
    """Return the days that start in [first, last]."""
    day = first.date() if midnight(first.date()) == first else first.date() + timedelta(days=1)
    days = []
    while midnight(day) <= last:
        days.append(day)
        day += timedelta(days=1)
    return days


def _drop(connection: Connection, month: Month) -> str:
    table = sql.Identifier(month.name)
    try:
        with connection.transaction():
            connection.execute(_LOCK_TIMEOUT)
            connection.execute(
                sql.SQL("ALTER TABLE feature_values DETACH PARTITION {}").format(table)
            )
            connection.execute(sql.SQL("DROP TABLE {}").format(table))
            connection.execute(
                'DELETE FROM replaced_values WHERE "timestamp" >= %s AND "timestamp" < %s',
                (month.start, month.end),
            )
    except errors.LockNotAvailable:
        return "the history was in use for 5 s"
    return ""
