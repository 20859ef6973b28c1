"""`parity`: which features that services compute inline may be read from the store."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from foundation.cli import console
from monitoring.parity import Thresholds, Verdict, judge, read_counts

_DEFAULTS = Thresholds()


def parity(
    files: Annotated[
        list[Path], typer.Argument(help="What services wrote with ParityLedger.append_to.")
    ],
    *,
    values: Annotated[
        int, typer.Option(min=1, help="Fewest values compared, or read.")
    ] = _DEFAULTS.values,
    match_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of equal values.")
    ] = _DEFAULTS.match_rate,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """
    Say of each feature that moves to the store whether it may take the next step, and why not.

    From `inline` to `store`: enough values compared, nearly all equal, few missing, quick reads.
    From `store` to `store_only`: hardly any value computed inline any more, and no read failed.
    docs/migration.md walks through it. Exit code 2 if a feature has to wait.
    """
    limits = Thresholds(values=values, match_rate=match_rate)
    verdicts = [
        judge(feature_name, mode, counts, limits)
        for (feature_name, mode), counts in sorted(read_counts(files).items())
    ]
    if as_json:
        console.print_json(json.dumps([_record(verdict) for verdict in verdicts]))
    else:
        console.print(_table(verdicts))
    if any(verdict.reasons for verdict in verdicts):
        raise typer.Exit(2)


def _record(verdict: Verdict) -> dict[str, object]:
    return {
        "feature": verdict.feature_name,
        "mode": verdict.mode,
        "match_rate": verdict.match_rate,
        "mean_relative_difference": verdict.mean_difference,
        "reasons": list(verdict.reasons),
        "advice": verdict.advice,
        **verdict.counts,
    }


def _table(verdicts: list[Verdict]) -> Table:
    table = Table(title="Parity of inline computation and the store")
    for heading in ("feature", "mode", "compared", "equal", "difference", "missing", "inline"):
        table.add_column(heading)
    table.add_column("p95 store / inline, ms")
    table.add_column("next")
    for verdict in verdicts:
        counts = verdict.counts
        latencies = [counts["store_p95_ms"], counts["inline_p95_ms"]]
        table.add_row(
            verdict.feature_name,
            verdict.mode,
            f"{counts['compared']:,}",
            "-" if verdict.match_rate is None else f"{verdict.match_rate:.2%}",
            "-" if verdict.mean_difference is None else f"{verdict.mean_difference:.2g}",
            f"{counts['store_missing']:,}",
            f"{counts['inline_values']:,}",
            " / ".join("-" if each is None else f"{each:.1f}" for each in latencies),
            Text(verdict.advice, "yellow" if verdict.reasons else "green"),
        )
    return table
