"""What is done after each midnight: make its snapshot, and put away what is old enough."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from functools import partial

import structlog

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.stores import retirement
from foundation import clock
from foundation.errors import FeatureStoreError, JobAlreadyRunning
from foundation.postgres import connect
from foundation.settings import Settings
from transformations import retention
from transformations.archives.storage import Archive
from transformations.run_retention import remove_old_runs
from transformations.selection import snapshot_features
from transformations.snapshots import creation
from transformations.snapshots.storage import Storage

_log = structlog.get_logger()

_DAY = timedelta(days=1)
_LONGEST_PAUSE = timedelta(days=7)


def keep_snapshots(settings: Settings) -> None:
    """
    Make the snapshots of the last midnight and those missed before it; put away what is old enough.

    Old months of the history move to the archive. Old snapshots, what the archive need not keep,
    records of old runs, and the values of retired versions are removed. Each of these is done
    whatever becomes of the others; what another process is at is left to it.

    Raises:
        StoreUnavailable: PostgreSQL or the storage of snapshots can't be reached.
        Exception: The first error of all, once everything else is done.
    """
    now, catalog = clock.now(), read_catalog()
    storage, archive = Storage.open(settings), Archive.open(settings)
    steps = {
        "make_snapshots": partial(_make_snapshots, settings, storage, catalog, now),
        "remove_snapshots": partial(_remove_snapshots, settings, storage, now),
        "archive_months": partial(_archive_months, settings, archive, now),
        "remove_archives": partial(_remove_archives, settings, archive, now),
        "remove_runs": partial(_remove_runs, settings, now),
        "remove_retired": partial(_remove_retired, settings, catalog, now),
        "find_unknown": partial(_find_unknown, settings, catalog),
    }
    results = [_failure(name, step) for name, step in steps.items()]
    failures = [error for error in results if error is not None]
    if failures:
        raise failures[0]


def _failure(name: str, step: Callable[[], None]) -> Exception | None:
    """Do a step, and return why it failed, if it did."""
    try:
        step()
    except JobAlreadyRunning as error:
        _log.info("nightly_step_left_to_another", step=name, reason=error.message)
    except Exception as error:  # noqa: BLE001 - whatever it was, the other steps are due
        known = isinstance(error, FeatureStoreError)
        _log.error("nightly_step_failed", step=name, error=str(error), exc_info=not known)
        return error
    return None


def _make_snapshots(settings: Settings, storage: Storage, catalog: Catalog, now: datetime) -> None:
    for day in _due_days(storage.days(), now.date()):
        manifest = creation.create(
            settings,
            storage,
            snapshot_features(catalog),
            day,
            now=now,
            force=False,
            on_progress=lambda _: None,
        )
        _log.info("snapshot_made", day=str(manifest.day), values=manifest.row_count)


def _due_days(made: Iterable[date], today: date) -> list[date]:
    """Return today and the days missed before it; after a longer pause snapshots begin anew."""
    recent = [day for day in made if today - _LONGEST_PAUSE <= day < today]
    first = max(recent) + _DAY if recent else today
    return [first + _DAY * number for number in range((today - first).days + 1)]


def _remove_snapshots(settings: Settings, storage: Storage, now: datetime) -> None:
    for day in retention.expired_snapshots(
        storage, today=now.date(), retention_days=settings.snapshot_retention_days
    ):
        storage.remove(day)
        _log.info("snapshot_removed", day=str(day))


def _archive_months(settings: Settings, archive: Archive, now: datetime) -> None:
    for state in retention.archive_months(settings, archive, now=now, dry_run=False):
        _log.info("month_considered", **asdict(state))


def _remove_archives(settings: Settings, archive: Archive, now: datetime) -> None:
    for part in retention.remove_archives(settings, archive, now=now, dry_run=False):
        _log.info("archived_month_removed", month=part.month_name, part=part.name)


def _remove_runs(settings: Settings, now: datetime) -> None:
    with connect(settings) as connection:
        count = remove_old_runs(connection, settings, now=now, dry_run=False)
    _log.info("runs_removed", count=count)


def _remove_retired(settings: Settings, catalog: Catalog, now: datetime) -> None:
    for leftover in retirement.leftovers(settings, catalog.features, now=now):
        removed = retirement.remove_values(settings, leftover.reference)
        _log.info(
            "retired_version_removed",
            feature=removed.reference,
            online=removed.online,
            offline=removed.offline,
        )


def _find_unknown(settings: Settings, catalog: Catalog) -> None:
    for leftover in retirement.unknown_leftovers(settings, catalog):
        _log.warning("values_of_unknown_version", feature=leftover.reference, rows=leftover.rows)
