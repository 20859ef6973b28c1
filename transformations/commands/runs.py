"""`runs`, `remove-runs`: look at past computations, and forget old ones."""

from typing import Annotated

import typer

from foundation import clock
from foundation.cli import console
from foundation.postgres import connect
from foundation.settings import load_settings
from transformations.past_runs import recent_runs
from transformations.run_retention import remove_old_runs
from transformations.tables import check_table, run_table


def show_runs(
    of: Annotated[
        str | None,
        typer.Argument(
            help="Only runs of this: `popularity_score`, `popularity_score==1.0.0` or a job."
        ),
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    failed: Annotated[
        bool, typer.Option("--failed", help="Failed runs only, with the checks that failed.")
    ] = False,
) -> None:
    """Print the record of past runs."""
    with connect(load_settings()) as connection:
        records = recent_runs(connection, of=of, limit=limit, failed_only=failed)
    console.print(run_table(records))
    if failed:
        console.print(check_table(records))


def remove_runs(
    *, dry_run: Annotated[bool, typer.Option(help="Only tell what would be done.")] = False
) -> None:
    """
    Remove records of runs that are older than FEATURE_STORE_RUN_RETENTION_DAYS.

    Those that something still looks at stay: the last good ones of each version, all since a job's
    last success, and those of values in PostgreSQL's history.
    """
    settings = load_settings()
    with connect(settings) as connection:
        count = remove_old_runs(connection, settings, now=clock.now(), dry_run=dry_run)
    console.print(f"{count:,} records of runs {'would go' if dry_run else 'removed'}")
