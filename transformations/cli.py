"""`python -m transformations`: compute features, and look at past computations."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.registry.lineage import in_dependency_order
from feature_repo.registry.metadata import FeatureVersion, Status
from foundation import clock
from foundation.cli import console, new_app, run
from foundation.errors import ConfigurationError
from foundation.postgres import connect
from foundation.settings import load_settings
from transformations import runs
from transformations.jobs import Job, jobs_of
from transformations.tables import check_table, report_table, run_table

app = new_app("HOW values are computed: run the jobs, look at past runs.")

_LIVE = (Status.ACTIVE, Status.DEPRECATED)


@app.command(name="run")
def run_features(
    features: Annotated[
        list[str] | None,
        typer.Argument(
            help="`popularity_score` for all its live versions, `popularity_score==1.0.0` for one."
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
) -> None:
    """
    Compute features and publish their values to PostgreSQL and Redis.

    Inputs and outputs must pass the quality gate; otherwise the previous values stay, and the exit
    code is 1. Running again for the same instant changes nothing.
    """
    from transformations import pipeline  # noqa: PLC0415 - Great Expectations is slow to import

    settings = load_settings()
    instant = None if as_of is None else parse_instant(as_of)
    catalog = read_catalog()
    selected = jobs_to_run(catalog, select_features(catalog, features or [], every=every))
    reports = []
    for job in selected:
        with console.status(f"Computing {job.name}"):
            reports += pipeline.run(settings, job, as_of=instant)
    console.print(report_table(reports))


@app.command(name="runs")
def show_runs(
    feature_name: Annotated[str | None, typer.Argument(help="Only runs of this feature.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    failed: Annotated[
        bool, typer.Option("--failed", help="Failed runs only, with the checks that failed.")
    ] = False,
) -> None:
    """Print the record of past runs."""
    with connect(load_settings()) as connection:
        records = runs.recent_runs(
            connection, feature_name=feature_name, limit=limit, failed_only=failed
        )
    console.print(run_table(records))
    if failed:
        console.print(check_table(records))


def select_features(catalog: Catalog, names: Sequence[str], *, every: bool) -> list[FeatureVersion]:
    """
    Return the deployed feature versions that names mean, dependencies first.

    Args:
        catalog: What is deployed.
        names: Feature names, for all their live versions, or references like `name==1.0.0`.
        every: Every live version; then names must be empty.

    Raises:
        ConfigurationError: Both or neither of names and every are given.
        UnknownFeature: A name is not deployed.
        UnknownVersion: A feature has no such version.
    """
    if every == bool(names):
        raise ConfigurationError("name the features to run, or give --all")
    if every:
        names = list(dict.fromkeys(feature.feature_name for feature in catalog.features))
    selected: list[FeatureVersion] = []
    for name in names:
        feature_name, _, version = name.partition("==")
        if version:
            selected.append(catalog.select(feature_name, version))
        else:
            selected += [f for f in catalog.versions(feature_name) if f.status in _LIVE]
    return [feature for feature in in_dependency_order(catalog.features) if feature in selected]


def jobs_to_run(catalog: Catalog, selected: Sequence[FeatureVersion]) -> list[Job]:
    """Return the jobs that compute feature versions, dependencies first."""
    return [job for job in jobs_of(catalog.features) if any(f in selected for f in job.features)]


def parse_instant(text: str) -> datetime:
    """
    Return an ISO 8601 text as an aware instant; UTC unless it says otherwise.

    Raises:
        ConfigurationError: The text is no instant, or lies in the future.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"--as-of: {text!r} is not an ISO 8601 instant", hint="For example 2026-11-01T00:00."
        ) from error
    instant = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    if instant > clock.now():
        raise ConfigurationError(f"--as-of: {text} lies in the future")
    return instant


def main() -> None:
    """Run the command line."""
    run(app)
