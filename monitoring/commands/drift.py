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
from foundation.errors import ConfigurationError, ContractViolation
from foundation.postgres import connect
from foundation.settings import Settings, load_settings
from monitoring.watched import watched_features

if TYPE_CHECKING:  # it imports SciPy's statistics, which are slow
    from transformations.drift.measuring import Measurement


def drift(
    features: Annotated[
        list[str] | None,
        typer.Argument(help="Feature names or references, like name==1.0.0; by default all."),
    ] = None,
    *,
    against: Annotated[
        str, typer.Option(help="last (snapshot), baseline, or the day of a snapshot: 2026-11-01.")
    ] = "last",
    report: Annotated[
        Path | None,
        typer.Option(help="Folder to write drift.html to: one page of plots that needs no others."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """
    Measure how far the latest values are from those of a reference.

    Of numbers: population stability index, Kolmogorov-Smirnov, shift of mean and quantiles; of all:
    share of nulls; of strings and maps: new and vanished keys; of vectors: the same as of numbers,
    of their length and along the axes on which they vary most. A feature has drifted if a distance
    is beyond the limit in its metadata (`drift`) and too improbable for chance.

    Measurements against the last snapshot and baselines are recorded, and counted in
    `feature_drift_detected_total`. Exit code 2 if a feature has drifted.
    """
    settings = load_settings()
    measured, problems = _measure_all(settings, _selected(read_catalog(), features or []), against)
    if report is not None and measured:
        from monitoring.drift_report.page import write_report  # noqa: PLC0415 - Matplotlib is slow

        page = write_report(report, measured, now=clock.now())
        error_console.print(f"Report: {page}", highlight=False)
    if as_json:
        console.print_json(json.dumps([found.as_record() for found in measured]))
    else:
        console.print(_table(measured))
    for problem in problems:
        error_console.print(Text.assemble(("Not measured:", "yellow"), f" {problem}"))
    if any(found.comparison.drifted for found in measured):
        raise typer.Exit(2)


def _measure_all(
    settings: Settings, features: Sequence[FeatureVersion], against: str
) -> tuple[list["Measurement"], list[str]]:
    from transformations.drift.measuring import measure  # noqa: PLC0415 - imports SciPy's statistics

    reference, measured, problems = _reference(against), [], []
    with connect(settings, autocommit=True) as connection:
        for feature in track(
            features, "Measuring", console=error_console, transient=True, show_speed=False
        ):
            try:
                measured.append(
                    measure(settings, connection, feature, against=reference, now=clock.now())
                )
            except ContractViolation as error:
                problems.append(str(error).replace("\n", " "))
    return measured, problems


def _reference(against: str) -> str | date:
    if against in {"last", "baseline"}:
        return against
    try:
        return date.fromisoformat(against)
    except ValueError as error:
        raise ConfigurationError(
            f"--against: {against!r} is no reference",
            hint="last, baseline, or a day like 2026-11-01.",
        ) from error


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


def _table(measured: Sequence["Measurement"]) -> Table:
    from monitoring.drift_report.words import place  # noqa: PLC0415 - imports SciPy's statistics

    table = Table(
        title="Drift", caption="Distances in units of their limits; the column they were found in."
    )
    for heading in (
        "feature",
        "reference",
        "entities",
        "then",
        "farthest",
        "distance",
        "by chance",
    ):
        numeric = heading in {"entities", "then", "distance", "by chance"}
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    table.add_column("")
    for found in measured:
        worst = list(found.comparison.worst().values())[-1:]
        cells = ["-", "-", "-"]
        for finding in worst:
            distance = finding.distance
            what = " ".join([distance.statistic, place(finding)])
            cells = [what, f"{finding.severity:.2f}", _probability(distance.p_value)]
        table.add_row(
            found.feature.reference,
            str(found.reference.day),
            f"{found.current.entity_count:,}",
            f"{found.reference.entity_count:,}",
            *cells,
            Text("drifted", "red") if found.comparison.drifted else Text("steady", "green"),
        )
    return table


def _probability(p_value: float) -> str:
    return "< 0.0001" if p_value < 0.0001 else f"{p_value:.4f}"  # noqa: PLR2004 - as many digits as tell
