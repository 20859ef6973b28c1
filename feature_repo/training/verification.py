"""Is a training set still what its recipe gives?"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.history.columns import WantedColumn
from feature_repo.history.entity_rows import EntityRows
from feature_repo.history.extensions import Extensions
from feature_repo.registry.catalog import Catalog
from feature_repo.training.building import Recipe, TrainingSet, build
from feature_repo.training.comparison import differs
from feature_repo.training.folder import read_manifest, read_rows
from feature_repo.training.manifest import Manifest
from feature_repo.training.selection import select_exact, wanted_columns
from foundation.settings import Settings


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
    settings: Settings,
    extensions: Extensions,
    catalog: Catalog,
    folder: Path,
    *,
    progress: Callable[[WantedColumn], None] = lambda _: None,
) -> Verification:
    """
    Build a training set again, from its entity columns and its manifest, and compare.

    Args:
        settings: Say where everything is.
        extensions: For what PostgreSQL does not hold.
        catalog: What is deployed.
        folder: Of the training set.
        progress: Told of each column that is there, twice.

    Raises:
        ConfigurationError: There is no training set.
        ContractViolation: Its file has changed, or its manifest can't be understood.
        UnknownVersion: A version of it is not deployed any more.
    """
    manifest = read_manifest(folder)
    rows = read_rows(folder, manifest)
    references = [feature.reference for feature in manifest.features]
    features = select_exact(catalog, references, feature_service=None)
    full = any(
        each.column != f.feature_name for each, f in zip(manifest.features, features, strict=True)
    )
    rebuilt = build(
        settings,
        extensions,
        catalog,
        Recipe(
            rows=EntityRows.from_arrow(rows.select(list(manifest.entity_columns))),
            labels=manifest.labels,
            wanted=wanted_columns(catalog, features, extensions, full_feature_names=full),
            known_at=datetime.fromisoformat(manifest.known_at),
        ),
        progress=progress,
    )
    return Verification(
        problems=_problems(rows, rebuilt.table),
        same_bytes=rebuilt.manifest.file.sha256 == manifest.file.sha256,
        notes=_notes(manifest, rebuilt),
    )


def _problems(rows: pa.Table, rebuilt: pa.Table) -> list[str]:
    counts = {
        name: pc.sum(differs(rows[name].combine_chunks(), rebuilt[name].combine_chunks())).as_py()
        for name in rows.column_names
    }
    return [
        f"{name}: {count:,} of {rows.num_rows:,} values are not as they were"
        for name, count in counts.items()
        if count
    ]


def _notes(manifest: Manifest, rebuilt: TrainingSet) -> list[str]:
    now = rebuilt.manifest
    notes = [
        f"{before.reference}: the code that computes it has changed"
        for before, after in zip(manifest.features, now.features, strict=True)
        if before.code_fingerprint != after.code_fingerprint
    ]
    return notes + [
        f"{name}: {manifest.environment.get(name, 'unknown')} then, {version} now"
        for name, version in now.environment.items()
        if manifest.environment.get(name) != version
    ]
