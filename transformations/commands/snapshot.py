"""`snapshot`: daily snapshots of all values, in Parquet files."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress
from rich.table import Table

from feature_repo.registry.catalog import read_catalog
from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.cli import console, error_console
from foundation.errors import ConfigurationError
from foundation.instants import parse_day
from foundation.settings import load_settings
from transformations import retention
from transformations.selection import snapshot_features
from transformations.snapshots import creation, verification
from transformations.snapshots.manifest import Manifest
from transformations.snapshots.storage import Storage

app = typer.Typer(
    help="Daily snapshots: the value of every entity as it was known at a midnight, UTC, in "
    "Parquet files, by day, feature and version. FEATURE_STORE_SNAPSHOT_URL says where.",
    no_args_is_help=True,
)

Day = Annotated[str | None, typer.Option(help="Day that starts with the midnight: 2026-11-23.")]
DryRun = Annotated[bool, typer.Option(help="Only tell what would be done.")]


@app.command()
def create(
    *,
    day: Day = None,
    start: Annotated[str | None, typer.Option("--from", help="First day of several.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last day; today by default.")] = None,
    force: Annotated[
        bool, typer.Option(help="Make snapshots anew that are there, with later corrections.")
    ] = False,
) -> None:
    """
    Make the snapshot of today's midnight, of another day's, or of a range of days.

    One that is there is left as it is. What was cut off leaves no half snapshot; call again.
    """
    settings, now = load_settings(), clock.now()
    storage = Storage.open(settings)
    features = snapshot_features(read_catalog())
    days = _days(day, start, end, today=now.date())
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=error_console, transient=True) as bar:
        task = bar.add_task("Writing", total=len(days) * len(features))

        def advance(feature: FeatureVersion) -> None:
            bar.update(task, advance=1, description=feature.reference)

        made = [
            creation.create(
                settings, storage, features, each, now=now, force=force, on_progress=advance
            )
            for each in days
        ]
    console.print(_table(made))


@app.command(name="list")
def list_snapshots(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the manifests.")] = False
) -> None:
    """Print the snapshots that are there."""
    storage = Storage.open(load_settings())
    found = [m for day in storage.days() if (m := storage.manifest(day)) is not None]
    if as_json:
        console.print_json(json.dumps([json.loads(manifest.to_json()) for manifest in found]))
    else:
        console.print(_table(found))


@app.command()
def verify(*, day: Day = None) -> None:
    """
    Compare snapshots, or one day's, with their manifests: every file's checksum and rows.

    Exit code 2 if something is missing, has changed or is too much.
    """
    storage = Storage.open(load_settings())
    days = storage.days() if day is None else [parse_day(day, option="--day")]
    problems = [problem for each in days for problem in verification.verify(storage, each)]
    for problem in problems:
        error_console.print(problem, highlight=False)
    console.print(f"{len(days)} snapshots, {len(problems)} problems")
    if problems:
        raise typer.Exit(2)


@app.command()
def prune(*, dry_run: DryRun = False) -> None:
    """Remove the snapshots that are older than FEATURE_STORE_SNAPSHOT_RETENTION_DAYS."""
    settings = load_settings()
    storage = Storage.open(settings)
    expired = retention.expired_snapshots(
        storage, today=clock.now().date(), retention_days=settings.snapshot_retention_days
    )
    for day in expired:
        if not dry_run:
            storage.remove(day)
        console.print(f"{day} {'would go' if dry_run else 'removed'}")
    console.print(f"{len(expired)} snapshots older than {settings.snapshot_retention_days} days")


def _days(day: str | None, start: str | None, end: str | None, *, today: date) -> list[date]:
    if day is not None and (start is not None or end is not None):
        raise ConfigurationError("give --day, or --from and --to")
    if start is None:
        if end is not None:
            raise ConfigurationError("--to needs --from")
        return [today if day is None else parse_day(day, option="--day")]
    first = parse_day(start, option="--from")
    last = today if end is None else parse_day(end, option="--to")
    if last < first:
        raise ConfigurationError(f"--to: {last} is before {first}")
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _table(manifests: Sequence[Manifest]) -> Table:
    table = Table(title="Snapshots")
    for heading in ("day", "feature versions", "values", "MB", "made"):
        table.add_column(heading, justify="left" if heading in {"day", "made"} else "right")
    for manifest in manifests:
        table.add_row(
            str(manifest.day),
            str(sum(file.row_count > 0 for file in manifest.files)),
            f"{manifest.row_count:,}",
            f"{manifest.byte_count / 1e6:,.1f}",
            f"{manifest.created_at:%Y-%m-%d %H:%M:%S}",
        )
    return table
