"""What is older than it must be kept: old snapshots go, old months move to the archive."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import LiteralString

import stamina
from psycopg import errors, sql

from feature_repo.stores.archived_parts import (
    ArchivedPart,
    archived_parts,
    record,
    record_removal,
)
from feature_repo.stores.partitions import Month, months
from foundation.errors import JobAlreadyRunning
from foundation.postgres import Connection, advisory_lock, connect
from foundation.settings import Settings
from transformations.archives.storage import Archive
from transformations.archives.writing import write
from transformations.snapshots.storage import Storage

# Who writes to the month is done within seconds.
_FREEZE_TIMEOUT: LiteralString = "SET LOCAL lock_timeout = '5s'"
# Everybody who reads or writes queues behind a wait for the lock of the whole history, so it is
# short. Who reads for long, for a training set or a snapshot, is done within minutes.
_DETACH_TIMEOUT: LiteralString = "SET LOCAL lock_timeout = '100ms'"
_ATTEMPTS = 100
_WAIT_SECONDS = 5.0
# Who has written to the month has ended; who wants to, waits. Reading goes on.
_FREEZE = "LOCK TABLE {month} IN SHARE MODE"
_FORGET_REPLACED = 'DELETE FROM replaced_values WHERE "timestamp" >= %s AND "timestamp" < %s'
_DETACH = "ALTER TABLE feature_values DETACH PARTITION {month}"
_DROP = "DROP TABLE {month}"


@dataclass(frozen=True)
class MonthState:
    """
    What becomes of an old month.

    Attributes:
        name: Of the partition.
        dropped: Whether PostgreSQL has dropped it, or would.
        reason: Why it was kept; empty if it was dropped.
        row_count: Values that were archived, replaced ones too.
    """

    name: str
    dropped: bool
    reason: str
    row_count: int = 0


def expired_snapshots(storage: Storage, *, today: date, retention_days: int) -> list[date]:
    """Return the days whose snapshots are older than they must be kept, ascending."""
    oldest = today - timedelta(days=retention_days)
    return [day for day in storage.days() if day < oldest]


def archive_months(
    settings: Settings,
    archive: Archive,
    *,
    now: datetime,
    dry_run: bool,
    on_progress: Callable[[str], None] = lambda _: None,
) -> list[MonthState]:
    """
    Move the months of the history to the archive that PostgreSQL need not keep any more.

    A month is dropped once all of it has been written to the archive and read back, in a
    transaction in which nobody else can write to it. It may be cut off at any point.

    Args:
        settings: Where the history is, and how long PostgreSQL keeps it.
        archive: Where it goes.
        now: Current instant.
        dry_run: Only tell what would be done.
        on_progress: Called with each reference that is written.

    Returns:
        What becomes of each month that is old enough.

    Raises:
        JobAlreadyRunning: Another process is at it.
        StoreUnavailable: A store can't be reached, or what was written can't be read back.
    """
    oldest = now - timedelta(days=settings.history_retention_days)
    with _archive_lock(settings) as connection:
        old = [month for month in months(connection) if month.end <= oldest]
        if dry_run:
            return [MonthState(month.name, dropped=True, reason="") for month in old]
        return [_move(connection, settings, archive, month, now, on_progress) for month in old]


def remove_archives(
    settings: Settings, archive: Archive, *, now: datetime, dry_run: bool
) -> list[ArchivedPart]:
    """
    Remove the parts of the archive that are older than it must be kept.

    That a part is gone is recorded before its files go: whoever asks for it is told so, and not of
    damage. What an attempt that was cut off has left goes too.

    Args:
        settings: Where PostgreSQL is, and how long the archive is kept.
        archive: Where it is.
        now: Current instant.
        dry_run: Only tell what would be done.

    Returns:
        What was removed, or would be.

    Raises:
        JobAlreadyRunning: Another process archives or removes.
        StoreUnavailable: A store can't be reached.
    """
    if settings.archive_retention_days is None:
        return []
    oldest = now - timedelta(days=settings.archive_retention_days)
    with _archive_lock(settings) as connection:
        old = [
            part
            for part in archived_parts(connection)
            if part.removed_at is None and part.month.end <= oldest
        ]
        if not dry_run:
            for part in old:
                record_removal(connection, part)
            for part in archived_parts(connection):
                if part.removed_at is not None:
                    archive.remove(part)
    return old


@contextlib.contextmanager
def _archive_lock(settings: Settings) -> Iterator[Connection]:
    with (
        connect(settings, autocommit=True) as connection,
        advisory_lock(connection, "archive") as is_held,
    ):
        if not is_held:
            raise JobAlreadyRunning("another process changes the archive")
        yield connection


def _move(
    connection: Connection,
    settings: Settings,
    archive: Archive,
    month: Month,
    now: datetime,
    on_progress: Callable[[str], None],
) -> MonthState:
    known = [part.name for part in archived_parts(connection) if part.month == month]
    archive.remove_leftovers(month, known)
    # Greater than those before, and another one than anybody else would choose.
    name = f"{len(known) + 1:04}-{secrets.token_hex(4)}"
    try:
        with connection.transaction():
            connection.execute(_FREEZE_TIMEOUT)
            connection.execute(sql.SQL(_FREEZE).format(month=sql.Identifier(month.name)))
            manifest = write(settings, archive, month, name, now=now, on_progress=on_progress)
            _drop(connection, month)
            if manifest.files:
                # Last, so that a month has as good as never a complete part that nobody knows of.
                record(connection, archive.commit(manifest))
    except (errors.LockNotAvailable, errors.DeadlockDetected):
        return MonthState(month.name, dropped=False, reason="the history was in use")
    return MonthState(month.name, dropped=True, reason="", row_count=manifest.row_count)


def _drop(connection: Connection, month: Month) -> None:
    name = sql.Identifier(month.name)
    connection.execute(_FORGET_REPLACED, (month.start, month.end))
    for attempt in stamina.retry_context(
        on=errors.LockNotAvailable,
        attempts=_ATTEMPTS,
        timeout=None,
        wait_initial=_WAIT_SECONDS,
        wait_max=_WAIT_SECONDS,
        wait_jitter=0,
    ):
        with attempt, connection.transaction():
            connection.execute(_DETACH_TIMEOUT)
            connection.execute(sql.SQL(_DETACH).format(month=name))
    connection.execute(_FREEZE_TIMEOUT)  # what was set in a transaction within this one stays
    connection.execute(sql.SQL(_DROP).format(month=name))
