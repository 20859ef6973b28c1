"""Build a training set: entity rows with the features that were known of them."""

import hashlib
import io
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.history.columns import FeatureColumn, WantedColumn, joined
from feature_repo.history.entity_rows import EntityRows
from feature_repo.history.retrieval import HistoricalValues
from feature_repo.history.terms import Terms
from feature_repo.training import leakage
from feature_repo.training.context import Context
from feature_repo.training.manifest import FeatureRecord, FileRecord, Manifest
from feature_repo.training.recipes import Recipe

ROWS_FILE = "training_set.parquet"
_ROWS_PER_GROUP = 131_072
_PACKAGES = ("feature-store", "duckdb", "feast", "numpy", "pandas", "pyarrow")


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


def build(
    context: Context, recipe: Recipe, *, progress: Callable[[WantedColumn], None] = lambda _: None
) -> TrainingSet:
    """
    Build a training set; from the same recipe, and as long as its history is kept, the same bytes.

    Args:
        context: What is configured and deployed.
        recipe: What to build.
        progress: Told of each column that is there: as it was known then, and, unless that is all
            that is asked for, once more.

    Raises:
        ContractViolation: The entity rows lack a join key.
        StoreUnavailable: PostgreSQL can't be reached.
    """
    recipe = replace(recipe, rows=_as_stored(recipe.rows))
    # The latest values are left out: the next run replaces them.
    terms = Terms(known_at=recipe.known_at, known_then=True, history_only=True)
    known_then = _columns(context, recipe, terms, progress)
    columns = known_then
    if not recipe.known_then:
        columns = _columns(context, recipe, replace(terms, known_then=False), progress)
    table = joined(recipe.rows, columns)
    content = parquet_bytes(table)
    leaks = leakage.report(
        recipe.rows, columns, known_then, labels=recipe.labels, known_at=recipe.known_at
    )
    file = FileRecord(
        path=ROWS_FILE, row_count=table.num_rows, byte_count=len(content), sha256=digest(content)
    )
    return TrainingSet(table, content, _manifest(context, recipe, columns, file, leaks))


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as a Parquet file; the same rows, the same bytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=_ROWS_PER_GROUP)
    return sink.getvalue()


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def column_digest(values: pa.Array | pa.ChunkedArray) -> str:
    """Return a digest of a column, whatever it is called and of whatever type."""
    return digest(parquet_bytes(pa.table({"values": values})))


def environment() -> dict[str, str]:
    """Return the versions of Python and of the packages on which the bytes depend."""
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in _PACKAGES
    }


def _as_stored(rows: EntityRows) -> EntityRows:
    """Return the rows as they come back from a file: from them the set is built again."""
    return EntityRows.from_arrow(pq.read_table(pa.BufferReader(parquet_bytes(rows.table))))


def _columns(
    context: Context, recipe: Recipe, terms: Terms, progress: Callable[[WantedColumn], None]
) -> list[FeatureColumn]:
    with HistoricalValues.open(context.settings, terms, context.extensions) as values:
        return values.columns(recipe.rows, recipe.wanted, progress=progress)


def _manifest(
    context: Context,
    recipe: Recipe,
    columns: Sequence[FeatureColumn],
    file: FileRecord,
    leaks: leakage.Report,
) -> Manifest:
    first, last = recipe.rows.bounds() or (None, None)
    return Manifest(
        known_at=recipe.known_at,
        known_then=recipe.known_then,
        entity_columns=recipe.rows.table.column_names,
        timestamp_column=recipe.rows.timestamp_column,
        labels=recipe.labels,
        first_timestamp=first,
        last_timestamp=last,
        features=[_record(context, column) for column in columns],
        file=file,
        leakage=leaks,
        environment=environment(),
    )


def _record(context: Context, column: FeatureColumn) -> FeatureRecord:
    feature, watermark, count = column.wanted.feature, column.watermark, len(column.values)
    computations = context.extensions.computations
    return FeatureRecord(
        reference=feature.reference,
        column=column.wanted.name,
        code_fingerprint=computations.fingerprint(feature, context.catalog.features),
        null_count=column.values.null_count,
        null_rate=column.values.null_count / count if count else 0.0,
        computed_count=column.computed_count,
        values_read=watermark.row_count,
        newest_event_timestamp=watermark.newest_timestamp,
        newest_created_at=watermark.newest_created,
        sha256=column_digest(column.values),
    )
