"""`profile`: how a feature's values are distributed, and how that changes."""

# ruff: noqa: PLC0415 - DuckDB and matplotlib take a while, which `--help` doesn't need
import json
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from foundation import clock
from foundation.cli import console
from foundation.instants import parse_instant

if TYPE_CHECKING:
    from feature_repo.analysis.profile import Profile
    from feature_repo.registry.metadata import FeatureVersion
    from feature_repo.training.context import Context

_DAYS = 30
_MICROSECOND = timedelta(microseconds=1)


class Format(StrEnum):
    """What a profile is printed as."""

    TABLE = "table"
    JSON = "json"


def profile(
    feature: Annotated[
        str,
        typer.Argument(
            help="`popularity_score` for the version that is served, "
            "`popularity_score==1.0.0` for one."
        ),
    ],
    *,
    start: Annotated[
        str | None,
        typer.Option("--from", help=f"First instant; by default {_DAYS} days before --to."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="First instant after; by default now.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TABLE,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Picture to draw, such as .png, .svg or .pdf; by default a PNG named after the "
            "feature, here."
        ),
    ] = None,
) -> None:
    """
    Print the distribution, the trend and the null rate of a feature's history, and plot them.

    The null rate of a period is the share of the values that are missing: in each history interval
    one is due of each entity that was known by then. Of maps and vectors each number counts.
    """
    from feature_repo.analysis.figures import profile_figure, refuse_unwritable, write_figure
    from feature_repo.training.context import open_context

    context = open_context()
    name, _, number = feature.partition("==")
    version = context.catalog.select(name, number or None)
    path = out or Path(f"{version.view_name}.png")
    refuse_unwritable(path)
    found = _profile(context, version, *_time(start, end))
    write_figure(profile_figure(found), path)
    _print(found, output, path)


def _time(start: str | None, end: str | None) -> tuple[datetime, datetime]:
    now = clock.now()
    last = now if end is None else parse_instant(end, option="--to", now=now)
    if start is None:
        return last - timedelta(days=_DAYS), last
    return parse_instant(start, option="--from", now=last), last


def _profile(
    context: "Context", version: "FeatureVersion", start: datetime, end: datetime
) -> "Profile":
    from feature_repo.analysis.measuring import measure
    from feature_repo.history.slices import SliceReader, Window
    from feature_repo.history.stored import StoredValues

    settings = context.settings
    with SliceReader.open(settings) as reader:
        stored = StoredValues(settings, reader, context.extensions.older_values)
        return measure(
            version,
            stored.stream(version, Window(start, end - _MICROSECOND)),
            start=start,
            end=end,
            memory_megabytes=settings.duckdb_memory_megabytes,
        )


def _print(found: "Profile", output: Format, path: Path) -> None:
    from feature_repo.analysis.tables import figures_table, periods_table, profile_record

    if output is Format.JSON:
        console.print_json(json.dumps({**profile_record(found), "plot": str(path)}))
        return
    console.print(figures_table(found))
    console.print(periods_table(found))
    console.print(Text(str(path)))
