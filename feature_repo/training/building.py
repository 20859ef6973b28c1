"""Build a training set: entity rows with the features that were known of them."""

import hashlib
import io
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import metadata

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.history.columns import FeatureColumn, WantedColumn, joined
from feature_repo.history.entity_rows import EntityRows
from feature_repo.history.extensions import Extensions
from feature_repo.history.retrieval import HistoricalValues
from feature_repo.history.terms import Terms
from feature_repo.registry.catalog import Catalog
from feature_repo.training import leakage
from feature_repo.training.manifest import FeatureRecord, FileRecord, Manifest
from foundation.errors import ConfigurationError
from foundation.postgres import connect
from foundation.settings import Settings

ROWS_FILE = "training_set.parquet"
_ROWS_PER_GROUP = 131_072
_PACKAGES = ("feature-store", "duckdb", "feast", "numpy", "pandas", "pyarrow")
# What a transaction writes bears the time of its start: until all that started before an instant
# have ended, more may appear that bears an earlier time.
_SETTLED = """
SELECT least(now(), min(xact_start) - interval '1 microsecond') FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'
"""


@dataclass(frozen=True)
class Recipe:
    """
    What a training set is made of.

    Attributes:
        rows: Entity rows.
        labels: Which of their columns are to be predicted.
        wanted: The columns of features.
        known_at: Nothing counts that was created after it.
    """

    rows: EntityRows
    labels: Sequence[str]
    wanted: Sequence[WantedColumn]
    known_at: datetime


@dataclass(frozen=True)
class TrainingSet:
    """
    Rows, the bytes of their file, and what they are made of.

    Attributes:
        table: Entity columns, then features.
        content: The file.
        manifest: Says what is in it.
    """

    table: pa.Table
    content: bytes
    manifest: Manifest


def settled_instant(settings: Settings) -> datetime:
    """
    Return the newest instant before which nothing more will be written.

    Raises:
        StoreUnavailable: PostgreSQL can't be reached.
    """
    with connect(settings) as connection:
        row = connection.execute(_SETTLED).fetchone()
    assert row is not None, "an aggregate has a row"  # noqa: S101 - of whatever rows
    instant: datetime = row[0]
    return instant


def build(
    settings: Settings,
    extensions: Extensions,
    catalog: Catalog,
    recipe: Recipe,
    *,
    progress: Callable[[WantedColumn], None] = lambda _: None,
) -> TrainingSet:
    """
    Build a training set; from the same recipe, and as long as its history is kept, the same bytes.

    Args:
        settings: Say where everything is.
        extensions: For what PostgreSQL does not hold.
        catalog: What is deployed.
        recipe: What to build.
        progress: Told of each column that is there, twice: once for the leakage report.

    Raises:
        ConfigurationError: A label is no column.
        ContractViolation: The entity rows lack a join key.
        StoreUnavailable: PostgreSQL can't be reached.
    """
    missing = set(recipe.labels) - set(recipe.rows.table.column_names)
    if missing:
        raise ConfigurationError(
            f"label {', '.join(sorted(missing))}: there is no such column",
            hint=f"The columns are {', '.join(recipe.rows.table.column_names)}.",
        )
    recipe = replace(recipe, rows=_as_stored(recipe.rows))
    # The latest values are left out: the next run replaces them.
    terms = Terms(known_at=recipe.known_at, history_only=True)
    columns, known_then = (
        _columns(settings, extensions, recipe, each, progress)
        for each in (terms, replace(terms, known_then=True))
    )
    table = joined(recipe.rows, columns)
    content = parquet_bytes(table)
    leaks = leakage.report(
        recipe.rows, columns, known_then, labels=recipe.labels, known_at=recipe.known_at
    )
    bounds = recipe.rows.bounds()
    return TrainingSet(
        table,
        content,
        Manifest(
            known_at=recipe.known_at.isoformat(),
            entity_columns=recipe.rows.table.column_names,
            timestamp_column=recipe.rows.timestamp_column,
            labels=list(recipe.labels),
            first_timestamp=None if bounds is None else bounds[0].isoformat(),
            last_timestamp=None if bounds is None else bounds[1].isoformat(),
            features=[_record(extensions, catalog, column) for column in columns],
            file=FileRecord(ROWS_FILE, table.num_rows, len(content), digest(content)),
            leakage=leaks.record(),
            environment=environment(),
        ),
    )


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as a Parquet file; the same rows, the same bytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=_ROWS_PER_GROUP)
    return sink.getvalue()


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def environment() -> dict[str, str]:
    """Return the versions of Python and of the packages on which the bytes depend."""
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in _PACKAGES
    }


def _as_stored(rows: EntityRows) -> EntityRows:
    """Return the rows as they come back from a file: from them the set is built again."""
    return EntityRows.from_arrow(pq.read_table(pa.BufferReader(parquet_bytes(rows.table))))


def _columns(
    settings: Settings,
    extensions: Extensions,
    recipe: Recipe,
    terms: Terms,
    progress: Callable[[WantedColumn], None],
) -> list[FeatureColumn]:
    with HistoricalValues.open(settings, terms, extensions) as values:
        return values.columns(recipe.rows, recipe.wanted, progress=progress)


def _record(extensions: Extensions, catalog: Catalog, column: FeatureColumn) -> FeatureRecord:
    feature, watermark, count = column.wanted.feature, column.watermark, len(column.values)
    newest = (watermark.newest_timestamp, watermark.newest_created)
    timestamp, created = (None if each is None else each.isoformat() for each in newest)
    return FeatureRecord(
        reference=feature.reference,
        column=column.wanted.name,
        code_fingerprint=extensions.computations.fingerprint(feature, catalog.features),
        null_count=column.values.null_count,
        null_rate=column.values.null_count / count if count else 0.0,
        computed_count=column.computed_count,
        values_read=watermark.row_count,
        newest_event_timestamp=timestamp,
        newest_created_at=created,
        sha256=digest(parquet_bytes(pa.table({column.wanted.name: column.values}))),
    )
