"""`parity`: did the gateway serve what training is given?"""

# ruff: noqa: PLC0415 - Feast and DuckDB take seconds, which `--help` doesn't need
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from foundation.cli import console

if TYPE_CHECKING:
    from feature_repo.training.parity import FeatureParity

_COUNTS = ("same", "different", "lost", "not_kept", "behind", "unserved")


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

    Of features that jobs compute, not one value may differ; exit code 2 if one does. `not kept` are
    answers from runs between those that the history keeps; `behind`: a newer value was written
    down already; `unserved`: a default, though a value was known. docs/training.md says what a
    line holds.

    Whether a service may go from inline computation to the store is told by
    `python -m monitoring parity`.
    """
    from feature_repo.training.answers import read_answers
    from feature_repo.training.context import open_context
    from feature_repo.training.parity import check_parity

    served = list(read_answers(answers))
    context = open_context()
    found = check_parity(context.settings, context.extensions, context.catalog, served)
    if as_json:
        console.print_json(json.dumps([_record(each) for each in found]))
    else:
        console.print(_table(found))
    if any(each.is_skewed for each in found):
        raise typer.Exit(2)


def _record(found: "FeatureParity") -> dict[str, object]:
    return {
        "feature": found.feature.reference,
        "batch": found.is_batch,
        **{name: getattr(found, name) for name in _COUNTS},
        "largest_difference": found.largest_difference,
    }


def _table(found: "Sequence[FeatureParity]") -> Table:
    table = Table(title="Served, and given to training")
    table.add_column("feature")
    for name in (*_COUNTS, "largest_difference"):
        table.add_column(name.replace("_", " "), justify="right")
    for each in found:
        style = "bold red" if each.is_skewed else None
        counts = (f"{getattr(each, name):,}" for name in _COUNTS)
        table.add_row(
            each.feature.reference, *counts, f"{each.largest_difference:.6g}", style=style
        )
    return table
