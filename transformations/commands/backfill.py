"""`backfill`: compute features for a range of the past."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from feature_repo.registry.catalog import read_catalog
from foundation import clock
from foundation.cli import console, error_console
from foundation.errors import ConfigurationError
from foundation.instants import parse_instant
from foundation.settings import load_settings
from transformations.selection import select_jobs
from transformations.tables import backfill_table, failure_table


def backfill(
    features: Annotated[
        list[str] | None,
        typer.Argument(
            help="`popularity_score` for all its live versions, `popularity_score==1.0.0` for one."
        ),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every live version.")] = False,
    start: Annotated[str, typer.Option("--from", help="First instant, ISO 8601; UTC by default.")],
    end: Annotated[
        str | None, typer.Option("--to", help="Last instant, ISO 8601; now by default.")
    ] = None,
    step: Annotated[
        str | None,
        typer.Option(
            help="Time between instants, such as 1d, 6h or 30m; by default the longest history "
            "interval of the features."
        ),
    ] = None,
    entities: Annotated[
        Path | None,
        typer.Option(
            help="Text file of entity ids, one a line: publish values of these only. Everything is "
            "computed all the same, for values may be relative to each other."
        ),
    ] = None,
    parallel: Annotated[
        int, typer.Option(min=1, help="Instants computed at a time.")
    ] = os.cpu_count() or 1,
    accept_change: Annotated[
        bool, typer.Option(help="Don't hold values against those of past runs.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="File for the report, as JSON.")] = None,
) -> None:
    """
    Compute features as of each instant of a past range, for the history that training reads.

    What is newer is never replaced, neither in PostgreSQL nor in Redis. What fails doesn't stop the
    rest; the report says what was updated and what failed, and the exit code is then 1. Call again
    to go on: what is done is not done again, unless the code has changed.
    """
    # Great Expectations is slow to import.
    from transformations import backfill as backfills  # noqa: PLC0415
    from transformations.pipeline import Options  # noqa: PLC0415

    now = clock.now()
    first = parse_instant(start, option="--from", now=now)
    last = now if end is None else parse_instant(end, option="--to", now=now)
    jobs = select_jobs(read_catalog(), features or [], every=every)
    longest = max(feature.history_interval for job in jobs for feature in job.features)
    plan = backfills.Plan(
        jobs=jobs,
        instants=backfills.instants_between(
            first, last, step=longest if step is None else _parse_step(step)
        ),
        entity_ids=None if entities is None else backfills.read_entity_ids(entities),
    )
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=error_console, transient=True) as bar:
        task = bar.add_task("Backfilling", total=len(jobs) * len(plan.instants))
        done = backfills.backfill(
            load_settings(),
            plan,
            options=Options(accept_change=accept_change),
            parallel=parallel,
            on_progress=lambda at, count: bar.update(
                task, advance=count, description=f"{at:%Y-%m-%d %H:%M}"
            ),
        )
    if report is not None:
        report.write_text(json.dumps(done.as_record(), indent=2) + "\n")
    console.print(backfill_table(done))
    if done.failed:
        console.print(failure_table(done))
        raise typer.Exit(1)


def _parse_step(text: str) -> timedelta:
    units = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
    try:
        step = timedelta(**{units[text[-1:]]: float(text[:-1])})
    except (KeyError, ValueError):
        step = timedelta(0)
    if step <= timedelta(0):
        raise ConfigurationError(f"--step: {text!r} is no duration", hint="For example 1d or 6h.")
    return step
