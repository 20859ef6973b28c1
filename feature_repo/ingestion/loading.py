"""Load files of source data: read, check, stage, refuse, merge, all in one transaction."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from feature_repo.ingestion import rejects as rejected_rows
from feature_repo.ingestion.readers import Batch, open_source
from feature_repo.ingestion.reports import FileReport, LoadReport
from feature_repo.ingestion.source_tables import EVENTS, PRODUCTS, SourceTable
from foundation.copy import copy_table
from foundation.errors import ConfigurationError
from foundation.postgres import Connection, connect
from foundation.settings import Settings

# Called with what is going on, and the share of the file that has been read, 0 to 1.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class _Source:
    """An opened file and the table it goes to."""

    path: Path
    table: SourceTable
    batches: Iterator[Batch]


def load_files(
    settings: Settings,
    *,
    events: Path | None = None,
    products: Path | None = None,
    rejects: Path | None = None,
    now: datetime,
    progress: Progress = lambda _doing, _share: None,
) -> LoadReport:
    """
    Load events, products or both; products first, because events refer to them.

    All is one transaction: an error leaves the tables as they were. Loading a file again changes
    nothing. A product that is stored with other content is updated; an event never changes. Users
    follow from the events, each created at the first of them.

    Args:
        settings: Say where PostgreSQL is.
        events: CSV or Parquet file of events.
        products: CSV or Parquet file of products.
        rejects: Gets the refused rows as CSV (file, line, reason, record), if there are any; by
            default `<events or products>.rejects.csv` in the current folder.
        now: Events after this instant are refused.
        progress: Told how far the load is.

    Returns:
        What became of the rows of each file.

    Raises:
        ConfigurationError: No file is given, or the rejects file can't be written.
        ContractViolation: A file can't be read, or its columns are wrong.
        StoreUnavailable: PostgreSQL can't be reached.
    """
    target = rejects or _default_rejects(events or products)
    with contextlib.ExitStack() as files:
        # All are opened, and their columns checked, before anything is loaded.
        sources = [
            _Source(path, table, files.enter_context(open_source(path, table.columns)))
            for table, path in ((PRODUCTS, products), (EVENTS, events))
            if path is not None
        ]
        # Leaving the inner context commits; the rejects file appears after that.
        draft = files.enter_context(rejected_rows.replacing(target))
        connection = files.enter_context(connect(settings))
        rejected_rows.create_rejected_rows(connection)
        reports = [_load(connection, source, now=now, progress=progress) for source in sources]
        any_rejected = any(report.rejected for report in reports)
        if any_rejected:
            rejected_rows.write_rejects(connection, draft)
    return LoadReport(files=reports, rejects=target if any_rejected else None)


def _default_rejects(loaded: Path | None) -> Path:
    if loaded is None:
        raise ConfigurationError(
            "there is nothing to load", hint="Name a file of events, of products, or both."
        )
    return Path(f"{loaded.name.split('.')[0]}.rejects.csv")


def _load(
    connection: Connection, source: _Source, *, now: datetime, progress: Progress
) -> FileReport:
    started = time.perf_counter()
    table, path = source.table, source.path
    connection.execute(table.create_staging)
    read = sum(
        _stage(connection, source, batch, now=now, progress=progress) for batch in source.batches
    )
    progress(f"Checking {path.name}", 1.0)
    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table.staging)))
    # From here on nobody else writes to the table; reading it goes on.
    connection.execute(
        sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(table.name))
    )
    for reason, delete in table.refusals:
        rejected_rows.move_staged(
            connection, path, delete=delete, reason=reason, columns=list(table.columns)
        )
    reasons = rejected_rows.count_by_reason(connection, path)
    progress(f"Storing {path.name}", 1.0)
    updated = connection.execute(table.update).rowcount if table.update else 0
    loaded = connection.execute(table.insert).rowcount
    for statement in table.derive:
        connection.execute(statement)
    return FileReport(
        path=path,
        read=read,
        loaded=loaded,
        updated=updated,
        unchanged=read - sum(reasons.values()) - updated - loaded,
        reasons=reasons,
        seconds=time.perf_counter() - started,
    )


def _stage(
    connection: Connection, source: _Source, batch: Batch, *, now: datetime, progress: Progress
) -> int:
    """Send a batch's good rows to the staging table, its bad ones to the rejected; count both."""
    checked = source.table.check(batch.rows, now)
    good = pc.is_null(checked.reasons)
    rows = checked.rows.append_column("line", batch.lines).filter(good)
    staged = copy_table(connection, source.table.staging, pa.table(rows))
    bad = pc.invert(good)
    rejected = rejected_rows.add_rows(
        connection,
        source.path,
        batch.rows.filter(bad),
        lines=batch.lines.filter(bad),
        reasons=checked.reasons.filter(bad),
    )
    rejected += rejected_rows.add_malformed(connection, source.path, batch.malformed)
    progress(f"Reading {source.path.name}", batch.share_read)
    return staged + rejected
