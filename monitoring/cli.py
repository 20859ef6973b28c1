"""`python -m monitoring`: is everything computed, stored and fresh?"""

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from feature_repo.registry.catalog import read_catalog
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.tables import duration_in_words
from foundation import clock
from foundation.cli import console, new_app, run
from foundation.postgres import connect
from foundation.settings import load_settings
from monitoring.commands.parity import parity
from monitoring.staleness import Staleness, measure_staleness

app = new_app("WATCH: what is stored, how old it is, and how its computations went.")

_LIVE = (Status.ACTIVE, Status.DEPRECATED)


@app.command()
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """
    Print how stale each feature version is that jobs compute for everybody.

    Staged and retired versions are left out, and those that are computed on demand only.

    Exit code 2 if a version's newest value is older than its staleness tolerance, or it has none;
    so a scheduler or a shell can act on it.
    """
    features = [feature for feature in read_catalog().features if _is_watched(feature)]
    with connect(load_settings()) as connection:
        measured = measure_staleness(connection, features, now=clock.now())
    if as_json:
        console.print_json(json.dumps([_record(state) for state in measured]))
    else:
        console.print(_table(measured))
    if any(state.is_stale for state in measured):
        raise typer.Exit(2)


def _is_watched(feature: FeatureVersion) -> bool:
    return feature.status in _LIVE and feature.computation_frequency is not None


def _record(state: Staleness) -> dict[str, object]:
    return {
        "feature_name": state.feature.feature_name,
        "version": state.feature.version,
        "entity_count": state.entity_count,
        "stale_count": state.stale_count,
        "staleness_seconds": None if state.staleness is None else state.staleness.total_seconds(),
        "tolerance_seconds": state.feature.staleness_tolerance.total_seconds(),
        "last_run_status": state.last_run_status,
    }


def _table(measured: Sequence[Staleness]) -> Table:
    table = Table(title="Staleness")
    for heading in ("feature", "entities", "stale", "staleness", "tolerance", "last run", ""):
        table.add_column(heading, justify="right" if heading in {"entities", "stale"} else "left")
    for state in measured:
        seconds = None if state.staleness is None else round(state.staleness.total_seconds())
        table.add_row(
            state.feature.reference,
            f"{state.entity_count:,}",
            f"{state.stale_count:,}",
            "-" if seconds is None else f"{seconds:,} s",
            duration_in_words(state.feature.staleness_tolerance),
            state.last_run_status or "-",
            "[red]stale[/]" if state.is_stale else "[green]fresh[/]",
        )
    return table


app.command()(parity)


def main() -> None:
    """Run the command line."""
    run(app)
