"""`parity`: did the gateway serve what training is given?"""

# ruff: noqa: PLC0415 - Feast and DuckDB take seconds, which `--help` doesn't need
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from foundation import clock
from foundation.cli import console
from foundation.errors import ContractViolation

if TYPE_CHECKING:
    from feature_repo.training.judgement import FeatureParity
    from feature_repo.training.parity import ParityReport

_SKEWED = ("different", "outdated", "withheld", "unrecorded", "lost")
_COUNTS = ("same", *_SKEWED, "not_kept", "behind", "unserved")


def parity(
    answers: Annotated[
        Path,
        typer.Argument(
            help="Kept answers of the gateway, JSON lines: a file, or the folder of "
            "FEATURE_STORE_SERVED_SAMPLE_PATH."
        ),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """
    Compare what the gateway served with what historical retrieval finds now for the same instants.

    Of features that jobs compute, not one value may differ; exit code 2 if one does: `different`,
    `outdated` (something newer had been written down for longer than the staleness tolerance),
    `withheld` (a default, though a value had been for so long), `unrecorded` (from no run on
    record), `lost` (from a run that is not in the history). The rest can't be compared, or is
    within the tolerance. Exit code 1 if nothing can be compared. docs/training.md says what each
    means, and what a line holds.

    Whether a service may go from inline computation to the store is told by
    `python -m monitoring parity`.
    """
    from feature_repo.training.answers import read_answers
    from feature_repo.training.context import open_context
    from feature_repo.training.parity import check_parity

    served = list(read_answers(answers))
    found = check_parity(open_context(), served, now=clock.now())
    if as_json:
        console.print_json(json.dumps(_record(found)))
    else:
        _print(found)
    if found.is_skewed:
        raise typer.Exit(2)
    if not found.compared_count:
        raise ContractViolation(
            f"{answers}: of {len(served):,} answers not one could be compared",
            hint="Answers of deployed versions are needed, of runs that the history keeps: let the "
            "gateway keep more (FEATURE_STORE_SERVED_SAMPLE_SHARE), or for longer.",
        )


def _record(found: "ParityReport") -> dict[str, object]:
    return {
        "features": [
            {
                "feature": each.feature.reference,
                "batch": each.is_batch,
                **{name: getattr(each, name) for name in _COUNTS},
                "largest_difference": each.largest_difference,
            }
            for each in found.features
        ],
        "unknown_versions": found.unknown_versions,
    }


def _print(found: "ParityReport") -> None:
    table = Table(title="Served, and given to training")
    table.add_column("feature")
    for name in (*_COUNTS, "largest_difference"):
        table.add_column(name.replace("_", " "), justify="right")
    for each in found.features:
        table.add_row(*_cells(each), style="bold red" if each.is_skewed else None)
    console.print(table)
    for reference, count in found.unknown_versions.items():
        console.print(
            f"{reference} is not deployed: {count:,} answers were left out", highlight=False
        )


def _cells(each: "FeatureParity") -> list[str]:
    counts = (f"{getattr(each, name):,}" for name in _COUNTS)
    return [each.feature.reference, *counts, f"{each.largest_difference:.6g}"]
