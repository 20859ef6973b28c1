"""`run`: compute features now, or as of an instant."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.text import Text

from feature_repo.registry.catalog import read_catalog
from foundation import clock
from foundation.cli import console, error_console
from foundation.instants import parse_instant
from foundation.settings import load_settings
from foundation.tracing import traced
from transformations.selection import select_jobs
from transformations.tables import report_table


def run_features(
    features: Annotated[
        list[str] | None,
        typer.Argument(
            help="`popularity_score` for all its live versions, `popularity_score==1.0.0` for one, "
            "or the name of a job."
        ),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every live version.")] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="ISO 8601 instant, UTC unless it says otherwise; events after it don't count. "
            "Without it: now, and the events must be fresh."
        ),
    ] = None,
    accept_change: Annotated[
        bool,
        typer.Option(
            help="Hold inputs and values against what the definitions say only, not against past "
            "runs. For a change that you know of, such as a doubled catalog."
        ),
    ] = False,
    rebuild: Annotated[
        bool, typer.Option(help="Add up incremental states anew, after source data were mended.")
    ] = False,
    engine: Annotated[
        Literal["postgres", "duckdb", "spark"],
        typer.Option(help="Where the computation runs; duckdb and spark read Parquet files."),
    ] = "postgres",
    events: Annotated[
        str | None,
        typer.Option(
            help="Parquet files of events for duckdb and spark: a file, a folder, a pattern with * "
            "or an s3:// URL."
        ),
    ] = None,
    products: Annotated[
        str | None, typer.Option(help="The same of products; by default PostgreSQL's.")
    ] = None,
    users: Annotated[
        str | None, typer.Option(help="The same of users; by default PostgreSQL's.")
    ] = None,
    data_docs: Annotated[
        Path | None,
        typer.Option(help="Folder for Great Expectations' pages of what the gate found."),
    ] = None,
) -> None:
    """
    Compute features and publish their values to PostgreSQL and Redis.

    Inputs and outputs must pass the quality gate; otherwise the previous values stay. A job that
    fails does not stop the others, but those that depend on it are skipped; the exit code
    is then 1. Running again for the same instant changes nothing. After a run of now its values'
    drift is measured, at most once in FEATURE_STORE_DRIFT_INTERVAL_SECONDS.
    """
    # Great Expectations and SciPy's statistics are slow to import.
    from transformations.drift.after_run import measure_after_run  # noqa: PLC0415
    from transformations.engines.sources import Sources  # noqa: PLC0415
    from transformations.orchestration import Ending, run_jobs  # noqa: PLC0415
    from transformations.pipeline import Options  # noqa: PLC0415

    instant = None if as_of is None else parse_instant(as_of, option="--as-of", now=clock.now())
    jobs = select_jobs(read_catalog(), features or [], every=every)
    settings = load_settings()
    with traced(settings, "feature-jobs"), console.status("Computing") as status:
        outcomes = run_jobs(
            settings,
            jobs,
            as_of=instant,
            options=Options(
                engine=engine,
                sources=Sources(events, products, users),
                accept_change=accept_change,
                rebuild=rebuild,
                data_docs=data_docs,
            ),
            on_start=lambda job: status.update(f"Computing {job.name}"),
            after_run=lambda job: measure_after_run(settings, job) if instant is None else None,
        )
    reports = [report for outcome in outcomes for report in outcome.reports]
    if reports:
        console.print(report_table(reports))
    failed = [outcome for outcome in outcomes if outcome.ending is not Ending.SUCCEEDED]
    for outcome in failed:
        what = (f"{outcome.job.name} {outcome.ending}:", "bold red")
        error_console.print(Text.assemble(what, f" {outcome.error}"))
    if failed:
        raise typer.Exit(1)
