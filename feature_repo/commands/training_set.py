"""`training-set`: build training sets, verify them, hold them against each other."""

# ruff: noqa: PLC0415 - Feast and DuckDB take seconds, which `--help` and other commands don't need
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress
from rich.text import Text

from foundation.cli import console, error_console
from foundation.instants import parse_instant

if TYPE_CHECKING:
    from feature_repo.history.columns import WantedColumn

app = typer.Typer(
    help="Training sets: rows of entities with the features that were known of them, in Parquet, "
    "with a manifest from which they can be built again to the byte.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Argument(help="Of a training set.")]


@app.command()
def build(
    more_features: Annotated[
        list[str] | None, typer.Argument(help="More of --features, without the option.")
    ] = None,
    *,
    entities: Annotated[
        Path,
        typer.Option(
            help="CSV or Parquet file: the join keys, event_timestamp (as of when; UTC unless it "
            "says otherwise), labels, and whatever else is to come along."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist yet.")],
    features: Annotated[
        list[str] | None,
        typer.Option(help="Exact feature version: 'popularity_score==1.0.0'."),
    ] = None,
    feature_service: Annotated[
        str | None, typer.Option(help="All versions of a feature service: ranking_v1.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="Column to be predicted, for the leakage report; several times."),
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option(help="Count nothing written after this instant; by default, after now."),
    ] = None,
    full_feature_names: Annotated[
        bool, typer.Option(help="Name columns popularity_score_v1_0_0__popularity_score.")
    ] = False,
    replace: Annotated[bool, typer.Option(help="Replace a training set that is there.")] = False,
) -> None:
    """
    Join features to entity rows, each as it was known at the row's event_timestamp.

    Versions must be exact: `^1` means something else tomorrow. Searches need a column `query`.
    The leakage report tells what a model could not have known.
    """
    from feature_repo.training.building import Recipe, settled_instant
    from feature_repo.training.building import build as build_set
    from feature_repo.training.context import open_context
    from feature_repo.training.entity_files import read_entity_rows
    from feature_repo.training.folder import refuse_existing, write
    from feature_repo.training.selection import select_exact, wanted_columns
    from feature_repo.training.tables import leakage_lines, manifest_table

    refuse_existing(out, replace=replace)
    context = open_context()
    references = [*(features or []), *(more_features or [])]
    versions = select_exact(context.catalog, references, feature_service=feature_service)
    settled = settled_instant(context.settings)
    join_keys = {key for version in versions for key in version.join_keys}
    recipe = Recipe(
        rows=read_entity_rows(entities, join_keys=join_keys),
        labels=label or [],
        wanted=wanted_columns(
            context.catalog, versions, context.extensions, full_feature_names=full_feature_names
        ),
        known_at=settled
        if known_at is None
        else parse_instant(known_at, option="--known-at", now=settled),
    )
    with _progress(len(versions)) as progress:
        built = build_set(
            context.settings, context.extensions, context.catalog, recipe, progress=progress
        )
    write(built, out, replace=replace)
    console.print(manifest_table(built.manifest))
    for line in leakage_lines(built.manifest.leakage):
        console.print(Text.assemble(("leakage", "yellow"), f" {line}"))
    console.print(f"{out}/", highlight=False)


@app.command()
def verify(folder: Folder) -> None:
    """
    Build a training set again from its manifest, and compare.

    Exit code 2 if a value is not as it was.
    """
    from feature_repo.training.context import open_context
    from feature_repo.training.folder import read_manifest
    from feature_repo.training.verification import verify as verify_set

    count = len(read_manifest(folder).features)
    context = open_context()
    with _progress(count) as progress:
        found = verify_set(
            context.settings, context.extensions, context.catalog, folder, progress=progress
        )
    for note in found.notes:
        console.print(note, highlight=False)
    for problem in found.problems:
        error_console.print(problem, highlight=False)
    if found.problems:
        raise typer.Exit(2)
    console.print("The same to the byte." if found.same_bytes else "The same values.")


@app.command()
def diff(
    first: Folder,
    second: Folder,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Tell what is different between two training sets: versions, code, rows, values."""
    from feature_repo.training.differences import differences

    found = differences(first, second)
    if as_json:
        console.print_json(json.dumps(found))
        return
    for line in found or ["They are the same."]:
        console.print(line, highlight=False)


@contextlib.contextmanager
def _progress(features: int) -> Iterator[Callable[["WantedColumn"], None]]:
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=error_console, transient=True) as bar:
        # Each is joined twice: as it is known now, and as it was known then.
        task = bar.add_task("Joining", total=2 * features)
        yield lambda column: bar.update(task, advance=1, description=column.feature.reference)
