"""`status`: how stale is each feature version?"""

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from feature_repo.registry.catalog import read_catalog
from feature_repo.registry.tables import duration_in_words
from foundation import clock
from foundation.cli import console
from foundation.postgres import connect
from foundation.settings import load_settings
from monitoring.staleness import Staleness, measure_staleness
from monitoring.watched import watched_features


def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """
    Print how stale each feature version is that jobs compute for everybody.

    Staleness is the age of the instant that the last successful run was about; what the gateway
    computed for single requests since does not make a version fresh. Staged and retired versions
    are left out, and those that are computed on demand only.

    Exit code 2 if a version is staler than it tolerates, or never had a successful run; so a
    scheduler or a shell can act on it.
    """
    features = watched_features(read_catalog())
    with connect(load_settings()) as connection:
        measured = measure_staleness(connection, features, now=clock.now())
    if as_json:
        console.print_json(json.dumps([_record(state) for state in measured]))
    else:
        console.print(_table(measured))
    if any(state.is_stale for state in measured):
        raise typer.Exit(2)


def _record(state: Staleness) -> dict[str, object]:
    return {
        "feature_name": state.feature.feature_name,
        "version": state.feature.version,
        "entity_count": state.stored.entity_count,
        "stale_count": state.stored.stale_count,
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
            f"{state.stored.entity_count:,}",
            f"{state.stored.stale_count:,}",
            "-" if seconds is None else f"{seconds:,} s",
            duration_in_words(state.feature.staleness_tolerance),
            state.last_run_status or "-",
            Text("stale", "red") if state.is_stale else Text("fresh", "green"),
        )
    return table
