"""`profile`: how a feature's values are distributed, and how that changes."""

# ruff: noqa: PLC0415 - DuckDB and matplotlib take a while, which `--help` doesn't need
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from feature_repo.registry.catalog import read_catalog
from foundation import clock
from foundation.cli import console
from foundation.instants import parse_instant
from foundation.settings import load_settings

_DAYS = 30
_MICROSECOND = timedelta(microseconds=1)


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
    out: Annotated[
        Path | None, typer.Option(help="PNG file; by default named after the feature, here.")
    ] = None,
) -> None:
    """
    Print the distribution, the trend and the null rate of a feature's history, and plot them.

    The null rate of a period is the share of the values that are missing: in each history interval
    one is due of each entity that was known by then. Of maps and vectors each number counts.
    """
    from feature_repo.analysis.figures import profile_figure
    from feature_repo.analysis.profile import profile as describe
    from feature_repo.analysis.tables import figures_table, periods_table
    from feature_repo.history.slices import SliceReader, Window
    from feature_repo.history.terms import Terms

    settings, now = load_settings(), clock.now()
    name, _, number = feature.partition("==")
    version = read_catalog().select(name, number or None)
    last = now if end is None else parse_instant(end, option="--to", now=now)
    first = (
        last - timedelta(days=_DAYS)
        if start is None
        else parse_instant(start, option="--from", now=last)
    )
    with SliceReader.open(settings) as reader:
        values = reader.history(version, None, Window(first, last - _MICROSECOND), Terms())
    described = describe(version, values, start=first, end=last)
    console.print(figures_table(described))
    console.print(periods_table(described))
    path = out or Path(f"{version.view_name}.png")
    profile_figure(described).savefig(path)
    console.print(path, highlight=False)
