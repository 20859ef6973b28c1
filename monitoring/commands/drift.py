"""`drift`: how far have values moved from those of a snapshot or a baseline?"""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Table
from rich.text import Text

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.cli import console, error_console
from foundation.errors import ContractViolation
from foundation.instants import parse_day
from foundation.postgres import Connection, connect
from foundation.settings import Settings, load_settings
from monitoring.watched import watched_features

if TYPE_CHECKING:  # it imports SciPy's statistics, which are slow
    from transformations.drift.records import Measurement


def drift(
    features: Annotated[
        list[str] | None,
        typer.Argument(help="Feature names or references, like name==1.0.0; by default all."),
    ] = None,
    *,
    against: Annotated[
        str,
        typer.Option(
            help="last (snapshot), baseline, both (as far as there are any), or the day of a "
            "snapshot: 2026-11-01."
        ),
    ] = "last",
    report: Annotated[
        Path | None,
        typer.Option(help="Folder to write drift.html to: one page of plots that needs no others."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit with 0 even if a feature has drifted.")
    ] = False,
) -> None:
    """
    Measure how far the latest values are from those of a reference.

    Of numbers: population stability index, Kolmogorov-Smirnov, shift of mean and quantiles; of all:
    number of entities, share of nulls; of strings and maps: new and vanished keys; of vectors: the
    same as of numbers, of their length and along the axes on which they vary most. A feature has
    drifted if a distance is beyond the limit in its metadata (`drift`) and too improbable for
    chance. Of fewer than 100 values, distributions are not compared: they are too few to tell.

    Measurements against the last snapshot and baselines are recorded, and counted in
    `feature_drift_detected_total`. Exit code 2 if a feature has drifted.
    """
    settings = load_settings()
    measured, problems = _measure_all(settings, _selected(read_catalog(), features or []), against)
    if report is not None:
        _write_report(report, measured)
    if as_json:
        console.print_json(json.dumps([found.as_record() for found in measured]))
    else:
        console.print(_table(measured))
    for problem in problems:
        error_console.print(Text.assemble(("Not measured:", "yellow"), f" {problem}"))
    if not exit_zero and any(found.comparison.drifted for found in measured):
        raise typer.Exit(2)


def _measure_all(
    settings: Settings, features: Sequence[FeatureVersion], against: str
) -> tuple[list["Measurement"], list[str]]:
    from transformations.drift.measuring import measure  # noqa: PLC0415 - imports SciPy's statistics

    measured, problems = [], []
    with connect(settings, autocommit=True) as connection:
        for feature in track(
            features, "Measuring", console=error_console, transient=True, show_speed=False
        ):
            for reference in _references(connection, feature, against):
                try:
                    measured.append(
                        measure(settings, connection, feature, against=reference, now=clock.now())
                    )
                except ContractViolation as error:
                    problems.append(str(error).replace("\n", " "))
    return measured, problems


def _references(
    connection: Connection, feature: FeatureVersion, against: str
) -> Sequence[str | date]:
    from transformations.drift.measuring import (  # noqa: PLC0415 - imports SciPy's statistics
        BASELINE,
        LAST,
        references,
    )

    if against == "both":
        return references(connection, feature)
    return [against if against in {LAST, BASELINE} else parse_day(against, option="--against")]


def _selected(catalog: Catalog, names: Sequence[str]) -> list[FeatureVersion]:
    if not names:
        return watched_features(catalog)
    selected = []
    for name in names:
        feature_name, _, version = name.partition("==")
        versions = (
            [catalog.select(feature_name, version)] if version else catalog.versions(feature_name)
        )
        selected += [f for f in versions if version or f in watched_features(catalog)]
    return selected


def _write_report(folder: Path, measured: Sequence["Measurement"]) -> None:
    if not measured:
        error_console.print("No report: nothing was measured.", highlight=False)
        return
    from monitoring.drift_report.page import write_report  # noqa: PLC0415 - Matplotlib is slow

    page = write_report(folder, measured, now=clock.now())
    error_console.print(f"Report: {page}", highlight=False)


def _table(measured: Sequence["Measurement"]) -> Table:
    table = Table(
        title="Drift", caption="Distances in units of their limits; the column they were found in."
    )
    numeric = {"entities", "then", "distance", "by chance"}
    headings = ("feature", "reference", "entities", "then", "farthest", "distance", "by chance")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numeric else "left", no_wrap=True)
    table.add_column("")
    for found in measured:
        table.add_row(*_cells(found))
    return table


def _cells(found: "Measurement") -> list[str | Text]:
    from monitoring.drift_report.words import chance, place  # noqa: PLC0415 - SciPy's statistics
    from transformations.drift.detection import State  # noqa: PLC0415 - likewise

    farthest = ["-", "-", "-"]
    for finding in list(found.comparison.worst().values())[-1:]:
        what = " ".join([finding.distance.statistic, place(finding)])
        farthest = [what, f"{finding.severity:.2f}", chance(finding.distance.p_value)]
    state = found.comparison.state
    colors = {State.DRIFTED: "red", State.STEADY: "green", State.TOO_FEW: "yellow"}
    return [
        found.feature.reference,
        f"{found.reference.day}{' (baseline)' if found.against == 'baseline' else ''}",
        f"{found.current.entity_count:,}",
        f"{found.reference.entity_count:,}",
        *farthest,
        Text(state, colors[state]),
    ]
