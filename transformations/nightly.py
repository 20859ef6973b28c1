"""What is done after each midnight: make its snapshot, and put away what is old enough."""

from dataclasses import asdict

import structlog

from feature_repo.registry.catalog import read_catalog
from feature_repo.stores import retirement
from foundation import clock
from foundation.postgres import connect
from foundation.settings import Settings
from transformations import retention
from transformations.archives.storage import Archive
from transformations.run_retention import remove_old_runs
from transformations.selection import snapshot_features
from transformations.snapshots import creation
from transformations.snapshots.storage import Storage

_log = structlog.get_logger()


def keep_snapshots(settings: Settings) -> None:
    """
    Make the snapshot of the last midnight, and put away what is old enough.

    Old months of the history move to the archive. Old snapshots, what the archive need not keep,
    records of old runs, and the values of retired versions are removed.

    Raises:
        StoreUnavailable: PostgreSQL or the storage of snapshots can't be reached.
    """
    now, storage, catalog = clock.now(), Storage.open(settings), read_catalog()
    manifest = creation.create(
        settings,
        storage,
        snapshot_features(catalog),
        now.date(),
        now=now,
        force=False,
        on_progress=lambda _: None,
    )
    _log.info("snapshot_made", day=str(manifest.day), values=manifest.row_count)
    for day in retention.expired_snapshots(
        storage, today=now.date(), retention_days=settings.snapshot_retention_days
    ):
        storage.remove(day)
        _log.info("snapshot_removed", day=str(day))
    archive = Archive.open(settings)
    for state in retention.archive_months(settings, archive, now=now, dry_run=False):
        _log.info("month_considered", **asdict(state))
    for part in retention.remove_archives(settings, archive, now=now, dry_run=False):
        _log.info("archived_month_removed", month=part.month_name, part=part.name)
    with connect(settings) as connection:
        count = remove_old_runs(connection, settings, now=now, dry_run=False)
    _log.info("runs_removed", count=count)
    for leftover in retirement.leftovers(settings, catalog.features, now=now):
        removed = retirement.remove_values(settings, leftover.reference)
        _log.info(
            "retired_version_removed",
            feature=removed.reference,
            online=removed.online,
            offline=removed.offline,
        )
    for leftover in retirement.unknown_leftovers(settings, catalog):
        _log.warning("values_of_unknown_version", feature=leftover.reference, rows=leftover.rows)
