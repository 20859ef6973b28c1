"""`archive`: the months of the history that PostgreSQL has dropped, in Parquet files."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from feature_repo.stores.archived_parts import ArchivedPart, archived_parts
from foundation import clock
from foundation.cli import console, error_console
from foundation.errors import ConfigurationError
from foundation.postgres import connect
from foundation.settings import Settings, load_settings
from transformations import retention
from transformations.archives import verification
from transformations.archives.storage import Archive

app = typer.Typer(
    help="The archive: all values of months that PostgreSQL has dropped, in Parquet files beside "
    "the snapshots. Historical retrieval reads it. FEATURE_STORE_SNAPSHOT_URL says where.",
    no_args_is_help=True,
)

Month = Annotated[str | None, typer.Option(help="Of the history: 2026-05.")]
DryRun = Annotated[bool, typer.Option(help="Only tell what would be done.")]


@app.command()
def create(*, dry_run: DryRun = False) -> None:
    """
    Archive and drop months that are older than FEATURE_STORE_HISTORY_RETENTION_DAYS.

    A month is dropped once all of it has been written and read back. What is cut off changes
    nothing; call again.
    """
    settings = load_settings()
    with error_console.status("Archiving") as status:
        states = retention.archive_months(
            settings,
            Archive.open(settings),
            now=clock.now(),
            dry_run=dry_run,
            on_progress=status.update,
        )
    table = Table(title=f"Months older than {settings.history_retention_days} days")
    for heading in ("month", "", "values", "why"):
        table.add_column(heading)
    for state in states:
        gone = "would go" if dry_run else "archived"
        table.add_row(
            state.name,
            gone if state.dropped else "kept",
            "" if dry_run else f"{state.row_count:,}",
            state.reason,
        )
    console.print(table)


@app.command(name="list")
def list_parts(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the manifests.")] = False
) -> None:
    """Print what is in the archive. A month that was written to after it was dropped has parts."""
    settings = load_settings()
    archive, parts = Archive.open(settings), _parts(settings)
    manifests = {part: archive.manifest(part) for part in parts if part.removed_at is None}
    if as_json:
        console.print_json(json.dumps([json.loads(m.to_json()) for m in manifests.values()]))
        return
    table = Table(title="Archive")
    for heading in ("month", "part", "feature versions", "values", "MB", "archived"):
        table.add_column(heading, justify="right" if heading in {"values", "MB"} else "left")
    for part in parts:
        manifest = manifests.get(part)
        table.add_row(
            part.month_name,
            part.name,
            str(len(part.features)),
            *(
                ("", "", f"removed on {part.removed_at:%Y-%m-%d}")
                if manifest is None
                else (
                    f"{manifest.row_count:,}",
                    f"{manifest.byte_count / 1e6:,.1f}",
                    f"{manifest.archived_at:%Y-%m-%d %H:%M:%S}",
                )
            ),
        )
    console.print(table)


@app.command()
def verify(*, month: Month = None) -> None:
    """
    Compare the archive, or one month of it, with its manifests: every file's checksum and rows.

    Exit code 2 if something is missing, has changed or is too much.
    """
    settings = load_settings()
    archive = Archive.open(settings)
    parts = [
        part
        for part in _parts(settings)
        if part.removed_at is None and month in {None, part.month_name}
    ]
    if month is not None and not parts:
        raise ConfigurationError(
            f"the archive has nothing of {month!r}", hint="`archive list` tells what it has."
        )
    problems = [problem for part in parts for problem in verification.verify(archive, part)]
    for problem in problems:
        error_console.print(problem, highlight=False, markup=False)
    console.print(f"{len(parts)} parts, {len(problems)} problems")
    if problems:
        raise typer.Exit(2)


@app.command()
def prune(*, dry_run: DryRun = False) -> None:
    """
    Remove what is older than FEATURE_STORE_ARCHIVE_RETENTION_DAYS; nothing, if that is unset.

    Whoever asks for these months afterwards is told that they were removed.
    """
    settings = load_settings()
    removed = retention.remove_archives(
        settings, Archive.open(settings), now=clock.now(), dry_run=dry_run
    )
    for part in removed:
        console.print(f"{part.month_name} {part.name} {'would go' if dry_run else 'removed'}")
    console.print(f"{len(removed)} parts of months that need not be kept")


def _parts(settings: Settings) -> Sequence[ArchivedPart]:
    with connect(settings) as connection:
        return archived_parts(connection)
