"""`remove-retired`: what retired versions leave behind."""

# ruff: noqa: PLC0415 - Feast takes seconds, which `--help` doesn't need
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from feature_repo.stores.retirement import (
    ROWS_PER_SECOND,
    leftovers,
    remove_values,
    unknown_leftovers,
)
from foundation import clock
from foundation.cli import console, error_console
from foundation.settings import load_settings


def remove_retired(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be removed.")
    ] = False,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Values of versions that nobody defines, too.")
    ] = False,
    rows_per_second: Annotated[
        int, typer.Option(min=1, help="How fast rows may be removed.")
    ] = ROWS_PER_SECOND,
) -> None:
    """
    Remove the values of versions that were retired more than 7 days ago, from both stores.

    The schedule does so each night. It may be stopped, and started again; snapshots and the archive
    keep what they have. Values of versions that the registry does not know are only told of: if
    that is a mistake, they are all there is left.
    """
    from feature_repo.registry.catalog import read_catalog

    settings, catalog = load_settings(), read_catalog()
    found = leftovers(settings, catalog.features, now=clock.now())
    strangers = unknown_leftovers(settings, catalog)
    if unknown:
        found += strangers
    if not found:
        console.print("Nothing is left of retired versions.")
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=error_console, transient=True) as bar:
        for leftover in found:
            if dry_run:
                console.print(f"{leftover.reference}: {leftover.rows:,} rows would be removed")
                continue
            task = bar.add_task(leftover.reference, total=leftover.rows)
            removed = remove_values(
                settings,
                leftover.reference,
                rows_per_second=rows_per_second,
                on_progress=lambda rows, task=task: bar.advance(task, rows),  # type: ignore[misc]  # it can't infer the default
            )
            console.print(
                f"{removed.reference}: {removed.offline:,} rows, {removed.online:,} keys removed"
            )
    for leftover in () if unknown else strangers:
        console.print(
            f"{leftover.reference}: {leftover.rows:,} rows of a version that nobody defines; "
            "--unknown removes them, too"
        )
