"""`training-set`: build training sets, verify them, hold them against each other."""

# ruff: noqa: PLC0415 - Feast and DuckDB take seconds, which `--help` and other commands don't need
import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress
from rich.text import Text

from foundation.cli import console, error_console
from foundation.errors import ConfigurationError
from foundation.instants import parse_instant

if TYPE_CHECKING:
    from feature_repo.history.columns import WantedColumn
    from feature_repo.training.manifest import Manifest
    from foundation.settings import Settings

app = typer.Typer(
    help="Training sets: rows of entities with the features that were known of them, in Parquet, "
    "with a manifest from which they can be built again to the byte.",
    no_args_is_help=True,
)


def _local_folder(out: str) -> Path:
    if "://" in out:
        raise ConfigurationError(
            f"--out {out}: training sets are written to local folders, as a whole or not at all",
            hint="Name a folder, and copy it: `aws s3 cp --recursive FOLDER s3://bucket/folder`.",
        )
    return Path(out)


Folder = Annotated[Path, typer.Argument(help="Of a training set.")]
Entities = Annotated[
    str,
    typer.Option(
        metavar="FILE",
        help="CSV or Parquet file, or its URL (s3://bucket/rows.parquet): the join keys, "
        "event_timestamp (as of when; UTC unless it says otherwise), labels, and whatever else is "
        "to come along.",
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        parser=_local_folder, metavar="FOLDER", help="Local folder to write; it must not exist yet."
    ),
]
MoreFeatures = Annotated[
    list[str] | None, typer.Argument(help="More of --features, without the option.")
]
Features = Annotated[
    list[str] | None, typer.Option(help="Exact feature version: 'popularity_score==1.0.0'.")
]
FeatureService = Annotated[
    str | None, typer.Option(help="All versions of a feature service: ranking_v1.")
]
Label = Annotated[
    list[str] | None,
    typer.Option(help="Column to be predicted, for the leakage report; several times."),
]
KnownAt = Annotated[
    str | None,
    typer.Option(help="Count nothing written after this instant; by default, after now."),
]
KnownThen = Annotated[
    bool,
    typer.Option(
        "--known-then",
        help="Count nothing written after a row's own timestamp either: what the gateway had then. "
        "Of a history that was backfilled nothing is left.",
    ),
]
FullFeatureNames = Annotated[
    bool,
    typer.Option(
        "--full-feature-names", help="Name columns popularity_score_v1_0_0__popularity_score."
    ),
]
Replace = Annotated[bool, typer.Option("--replace", help="Replace a training set that is there.")]


@app.command()
def build(
    more_features: MoreFeatures = None,
    *,
    entities: Entities,
    out: Out,
    features: Features = None,
    feature_service: FeatureService = None,
    label: Label = None,
    known_at: KnownAt = None,
    known_then: KnownThen = False,
    full_feature_names: FullFeatureNames = False,
    replace: Replace = False,
) -> None:
    """
    Join features to entity rows, each as it was known at the row's event_timestamp.

    Versions must be exact: `^1` means something else tomorrow. Searches need a column `query`.
    The leakage report tells what a model could not have known.
    """
    from feature_repo.training.building import build as build_set
    from feature_repo.training.context import open_context
    from feature_repo.training.folder import refuse_existing, write
    from feature_repo.training.recipes import read_recipe

    refuse_existing(out, replace=replace)
    context = open_context()
    recipe = read_recipe(
        context,
        entities,
        [*(features or []), *(more_features or [])],
        feature_service=feature_service,
        labels=label or [],
        known_at=_known_at(context.settings, known_at),
        known_then=known_then,
        full_feature_names=full_feature_names,
    )
    with _progress(len(recipe.wanted), known_then=known_then) as progress:
        built = build_set(context, recipe, progress=progress)
    write(built, out, replace=replace)
    _print_built(built.manifest, out)


@app.command()
def verify(folder: Folder) -> None:
    """
    Build a training set again from its manifest, and compare.

    Exit code 2 if a value is not as it was.
    """
    from feature_repo.training.context import open_context
    from feature_repo.training.folder import read_manifest
    from feature_repo.training.verification import verify as verify_set

    manifest = read_manifest(folder)
    context = open_context()
    with _progress(len(manifest.features), known_then=manifest.known_then) as progress:
        found = verify_set(context, folder, progress=progress)
    for note in found.notes:
        console.print(Text(note))
    for problem in found.problems:
        error_console.print(Text(problem))
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
    """
    Tell what is different between two training sets: versions, code, names, order, rows, values.

    Exit code 2 if anything is; each line shows the first set's before the second's.
    """
    from feature_repo.training.differences import differences

    found = differences(first, second)
    if as_json:
        console.print_json(json.dumps(found))
    else:
        for line in found or ["They are the same to the byte."]:
            console.print(Text(line))
    if found:
        raise typer.Exit(2)


def _known_at(settings: "Settings", wanted: str | None) -> datetime:
    """Return the instant up to which everything has been written; warn if that was long ago."""
    from feature_repo.training.settled_instant import settled_instant
    from feature_repo.training.tables import lag_line

    settled = settled_instant(settings)
    if wanted is None:
        if line := lag_line(settled):
            error_console.print(Text.assemble(("late", "yellow"), f" {line}"))
        return settled.instant
    instant = parse_instant(wanted, option="--known-at", now=settled.instant + settled.lag)
    if instant > settled.instant:
        raise ConfigurationError(
            f"--known-at: not all that had been written by {wanted} is there yet",
            hint=f"A transaction of {settled.held_by} has not ended: wait, or take "
            f"{settled.instant.isoformat()}.",
        )
    return instant


def _print_built(manifest: "Manifest", folder: Path) -> None:
    from feature_repo.training.tables import leakage_lines, manifest_table

    console.print(manifest_table(manifest))
    for line in leakage_lines(manifest.leakage):
        console.print(Text.assemble(("leakage", "yellow"), f" {line}"))
    console.print(Text(f"{folder}/"))


@contextlib.contextmanager
def _progress(columns: int, *, known_then: bool) -> Iterator[Callable[["WantedColumn"], None]]:
    shown = ("{task.description}", BarColumn(), MofNCompleteColumn())
    with Progress(*shown, console=error_console, transient=True) as bar:
        # Each is joined as it was known then and, unless that is all, as it is known now.
        task = bar.add_task("Joining", total=columns if known_then else 2 * columns)
        yield lambda column: bar.update(task, advance=1, description=column.feature.reference)
