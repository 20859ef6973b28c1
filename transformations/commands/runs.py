"""`runs`: look at past computations."""

from typing import Annotated

import typer

from foundation.cli import console
from foundation.postgres import connect
from foundation.settings import load_settings
from transformations.runs import recent_runs
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
