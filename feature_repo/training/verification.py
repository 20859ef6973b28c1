"""Is a training set still what its recipe gives?"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from feature_repo.history.columns import WantedColumn
from feature_repo.history.entity_rows import EntityRows
from feature_repo.training.building import TrainingSet, build
from feature_repo.training.comparison import count_different
from feature_repo.training.context import Context
from feature_repo.training.folder import read_manifest, read_rows
from feature_repo.training.manifest import Manifest
from feature_repo.training.recipes import Recipe
from feature_repo.training.selection import select_exact, wanted_columns


@dataclass(frozen=True)
class Verification:
    """
    How a training set and its rebuilding compare.

    Attributes:
        problems: What is not as it was; none: the values are the same.
        same_bytes: Whether the file is the same to the byte.
        notes: What else is not as it was, without a difference to the values.
    """

    problems: list[str]
    same_bytes: bool
    notes: list[str]


def verify(
    context: Context, folder: Path, *, progress: Callable[[WantedColumn], None] = lambda _: None
) -> Verification:
    """
    Build a training set again, from its entity columns and its manifest, and compare.

    If the file is not the same to the byte, columns are compared by their digests, and those whose
    digests differ value by value: other versions of packages write other bytes.

    Args:
        context: What is configured and deployed.
        folder: Of the training set.
        progress: Told of each column that is there; see `build`.

    Raises:
        ConfigurationError: There is no training set.
        ContractViolation: Its file has changed, or its manifest can't be understood.
        UnknownVersion: A version of it is not deployed any more.
    """
    manifest = read_manifest(folder)
    rows = read_rows(folder, manifest)
    rebuilt = build(context, _recipe(context, manifest, rows), progress=progress)
    same_bytes = rebuilt.manifest.file.sha256 == manifest.file.sha256
    return Verification(
        problems=[] if same_bytes else _problems(manifest, rows, rebuilt),
        same_bytes=same_bytes,
        notes=_notes(manifest, rebuilt.manifest),
    )


def _recipe(context: Context, manifest: Manifest, rows: pa.Table) -> Recipe:
    references = [feature.reference for feature in manifest.features]
    features = select_exact(context.catalog, references, feature_service=None)
    wanted = wanted_columns(context.catalog, features, context.extensions, full_feature_names=True)
    return Recipe(
        rows=EntityRows.from_arrow(rows.select(list(manifest.entity_columns))),
        labels=manifest.labels,
        wanted=[
            replace(column, name=feature.column)
            for column, feature in zip(wanted, manifest.features, strict=True)
        ],
        known_at=manifest.known_at,
        known_then=manifest.known_then,
    )


def _problems(manifest: Manifest, rows: pa.Table, rebuilt: TrainingSet) -> list[str]:
    problems = []
    for before, after in zip(manifest.features, rebuilt.manifest.features, strict=True):
        if before.sha256 != after.sha256:
            count = count_different(rows[before.column], rebuilt.table[after.column])
            if count:
                problems.append(
                    f"{before.column}: {count:,} of {rows.num_rows:,} values are not as they were"
                )
    return problems


def _notes(before: Manifest, now: Manifest) -> list[str]:
    notes = [
        f"{was.reference}: the code that computes it has changed"
        for was, is_now in zip(before.features, now.features, strict=True)
        if was.code_fingerprint != is_now.code_fingerprint
    ]
    return notes + [
        f"{name}: {before.environment.get(name, 'unknown')} then, {version} now"
        for name, version in now.environment.items()
        if before.environment.get(name) != version
    ]
