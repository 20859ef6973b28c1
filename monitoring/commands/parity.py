"""`parity`: which features that services compute inline may be read from the store."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from foundation import clock
from foundation.cli import console, error_console
from foundation.instants import parse_instant
from monitoring.parity import Thresholds, Verdict, judge
from monitoring.parity_counts import read_tallies

_DEFAULTS = Thresholds()


def parity(
    files: Annotated[
        list[Path], typer.Argument(help="What services wrote with ParityLedger.append_to.")
    ],
    *,
    since: Annotated[
        str | None,
        typer.Option(help="Leave out what was counted before: 2026-11-23T12:00, UTC."),
    ] = None,
    values: Annotated[
        int, typer.Option(min=1, help="Fewest values compared, or read.")
    ] = _DEFAULTS.values,
    match_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of equal values.")
    ] = _DEFAULTS.match_rate,
    p95_milliseconds: Annotated[
        float, typer.Option(min=0, help="Greatest 95th percentile of a read.")
    ] = _DEFAULTS.p95_milliseconds,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """
    Say of each feature that moves to the store whether it may take the next step, and why not.

    From `inline` to `store`: enough values compared, nearly all equal, few that only one of both
    has, few reads that failed or were left out, quick reads. From `store` to `store_only`: hardly
    any value computed inline any more, hardly a read failed. What counts is the mode in which a
    feature was last read. docs/migration.md walks through it. Exit code 2 if a feature has to wait,
    or nothing was counted.

    Whether the gateway served what training is given is told by `python -m feature_repo parity`.
    """
    start = None if since is None else parse_instant(since, option="--since", now=clock.now())
    limits = Thresholds(values=values, match_rate=match_rate, p95_milliseconds=p95_milliseconds)
    verdicts = [judge(tally, limits) for tally in read_tallies(files, since=start)]
    if as_json:
        console.print_json(json.dumps([_record(verdict) for verdict in verdicts]))
    elif verdicts:
        console.print(_table(verdicts))
    if not verdicts:
        error_console.print("Nothing was counted" + (f" since {since}" if since else "") + ".")
    if not verdicts or any(verdict.reasons for verdict in verdicts):
        raise typer.Exit(2)


def _record(verdict: Verdict) -> dict[str, object]:
    return {
        "feature": verdict.feature_name,
        "mode": verdict.mode,
        "match_rate": verdict.match_rate,
        "mean_absolute_difference": verdict.mean_absolute_difference,
        "mean_relative_difference": verdict.mean_relative_difference,
        "reasons": list(verdict.reasons),
        "advice": verdict.advice,
        **verdict.counts.model_dump(),
    }


def _table(verdicts: list[Verdict]) -> Table:
    table = Table(
        title="Parity of inline computation and the store",
        caption="Differences are means, relative ones in brackets; p95 of the store and inline.",
    )
    for heading in ("feature", "mode", "compared", "equal", "difference", "only inline / store"):
        table.add_column(heading)
    for heading in ("failed / dropped", "missing", "inline", "p95, ms", "next"):
        table.add_column(heading)
    for verdict in verdicts:
        counts = verdict.counts
        latencies = [counts.store_p95_ms, counts.inline_p95_ms]
        table.add_row(
            verdict.feature_name,
            verdict.mode,
            f"{counts.compared:,}",
            "-" if verdict.match_rate is None else f"{verdict.match_rate:.2%}",
            _difference(verdict),
            f"{counts.only_inline:,} / {counts.only_store:,}",
            f"{counts.store_failures:,} / {counts.dropped:,}",
            f"{counts.store_missing:,}",
            f"{counts.inline_values:,}",
            " / ".join("-" if each is None else f"{each:.1f}" for each in latencies),
            Text(verdict.advice, "yellow" if verdict.reasons else "green"),
        )
    return table


def _difference(verdict: Verdict) -> str:
    absolute, relative = verdict.mean_absolute_difference, verdict.mean_relative_difference
    if absolute is None or relative is None:
        return "-"
    return f"{absolute:.2g} ({relative:.2g})"
