"""Write all that PostgreSQL holds of a month to a part of the archive."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import LiteralString

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from feature_repo.stores.partitions import Month
from foundation.errors import StoreUnavailable
from foundation.settings import Settings
from transformations.archives.manifest import Manifest, part_folder
from transformations.archives.storage import Archive
from transformations.engines.postgres import PostgresEngine
from transformations.value_files import ValueFile, value_path

_ROWS_PER_GROUP = 131_072
_INSTANT = pa.timestamp("us", "UTC")
# Values are JSON texts, as PostgreSQL has them: whatever a version is or was, nothing is rounded,
# and nobody has to know versions that are not defined any more.
ARCHIVE_SCHEMA = pa.schema(
    {
        "entity_id": pa.string(),
        "feature_name": pa.string(),
        "feature_value": pa.string(),
        "version": pa.string(),
        "timestamp": _INSTANT,
        "created_at": _INSTANT,
        "replaced_at": _INSTANT,
    }
)

_COUNTS = """
SELECT feature_name, version, count(*) AS row_count FROM (
    SELECT feature_name, version FROM {month}
    UNION ALL
    SELECT feature_name, version FROM replaced_values
    WHERE "timestamp" >= {start} AND "timestamp" < {end}
) AS stored GROUP BY 1, 2 ORDER BY 1, 2
"""
# In the order of entities, so that few of them are found without reading all.
_VALUES = """
SELECT entity_id, feature_name, nullif(feature_value, 'null')::text AS feature_value, version,
       "timestamp", created_at, NULL::timestamptz AS replaced_at
FROM {month} WHERE feature_name = {feature_name} AND version = {version}
UNION ALL
SELECT entity_id, feature_name, nullif(feature_value, 'null')::text, version,
       "timestamp", created_at, replaced_at
FROM replaced_values WHERE feature_name = {feature_name} AND version = {version}
    AND "timestamp" >= {start} AND "timestamp" < {end}
ORDER BY entity_id, "timestamp", created_at
"""


def write(
    settings: Settings,
    archive: Archive,
    month: Month,
    part: str,
    *,
    now: datetime,
    on_progress: Callable[[str], None],
) -> Manifest:
    """
    Write the values of a month, and those that were replaced, and read them back.

    Memory doesn't grow with their number; all of them are of one state of the database.

    Args:
        settings: Say where PostgreSQL is.
        archive: Where to write.
        month: Which; nobody may write to it meanwhile.
        part: Name of the part.
        now: Current instant.
        on_progress: Called with each reference that is written.

    Returns:
        The manifest, which is not written yet.

    Raises:
        StoreUnavailable: A store can't be reached, or what was written can't be read back.
    """
    folder = part_folder(month, part)
    with PostgresEngine.open(settings) as engine:
        counts = list(_counts(engine, month))
        for feature_name, version, _ in counts:
            _write(engine, archive, folder, month, feature_name, version)
            on_progress(f"{feature_name}=={version}")
    files = [_read_back(archive, folder, *each) for each in counts]
    return Manifest(month, part, now, files)


def _counts(engine: PostgresEngine, month: Month) -> Iterator[tuple[str, str, int]]:
    query = _composed(_COUNTS, month)
    for rows in engine.stream(query, rows_per_batch=_ROWS_PER_GROUP):
        for row in rows.to_pylist():
            yield row["feature_name"], row["version"], row["row_count"]


def _write(
    engine: PostgresEngine,
    archive: Archive,
    folder: str,
    month: Month,
    feature_name: str,
    version: str,
) -> None:
    query = _composed(_VALUES, month, feature_name=feature_name, version=version)
    path = f"{folder}/{value_path(feature_name, version)}"
    with archive.parquet_writer(path, ARCHIVE_SCHEMA) as writer:
        for rows in engine.stream(query, rows_per_batch=_ROWS_PER_GROUP):
            writer.write_table(rows.cast(ARCHIVE_SCHEMA))


def _read_back(
    archive: Archive, folder: str, feature_name: str, version: str, row_count: int
) -> ValueFile:
    """Return what the manifest says of a file, once all of it has been read."""
    path = value_path(feature_name, version)
    try:
        with (
            archive.filesystem.open_input_file(archive.path(folder, path)) as source,
            pq.ParquetFile(source, page_checksum_verification=True) as file,
        ):
            found = sum(batch.num_rows for batch in file.iter_batches())
        sha256, byte_count = archive.digest(folder, path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(archive.path(folder, path), str(error)) from error
    if found != row_count:
        raise _unreadable(archive.path(folder, path), f"{found:,} values of {row_count:,}")
    return ValueFile(f"{feature_name}=={version}", path, row_count, byte_count, sha256)


def _unreadable(path: str, reason: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"{path}: what was written can't be read back: {reason}",
        hint="The month stays in PostgreSQL. Is the storage sound?",
    )


def _composed(query: LiteralString, month: Month, **names: str) -> str:
    literals = {name: sql.Literal(value) for name, value in names.items()}
    return (
        sql.SQL(query)
        .format(
            month=sql.Identifier(month.name),
            start=sql.Literal(month.start),
            end=sql.Literal(month.end),
            **literals,
        )
        .as_string()
    )
