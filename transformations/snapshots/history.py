"""Snapshots as what training reads of months that PostgreSQL holds no more."""

from collections.abc import Iterator
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES, encode
from foundation.settings import Settings
from transformations.snapshots.manifest import midnight
from transformations.snapshots.reading import read_values
from transformations.snapshots.storage import Storage

_INSTANT = pa.timestamp("us", "UTC")
_PLAIN = (FeatureType.FLOAT, FeatureType.STRING)
# The same value is in the snapshots of several midnights; what the last of them says counts, since
# the first that says so.
_EACH_ONCE = """
SELECT entity_id, value, "timestamp", min(created) AS created FROM found
GROUP BY entity_id, value, "timestamp"
QUALIFY row_number() OVER (PARTITION BY entity_id, "timestamp" ORDER BY max(created) DESC) = 1
"""


class SnapshotValues:
    """The values of each midnight; what came and went between two of them is not known any more."""

    def read(
        self,
        settings: Settings,
        feature: FeatureVersion,
        *,
        ids: pa.Array,
        start: datetime,
        end: datetime,
        known_at: datetime | None,
    ) -> pa.Table:
        """
        Return values of entities with event timestamps in [start, end).

        Args:
            settings: Say where the snapshots are.
            feature: Whose values.
            ids: Entity ids that count.
            start: First instant.
            end: First instant after.
            known_at: Snapshots made after it don't count; None: all count.

        Returns:
            entity_id, value (vectors and maps as JSON text), timestamp, created (when the first
            snapshot was made that has it); an entity and timestamp once.
        """
        tables = _found(Storage.open(settings), feature, start, end, known_at)
        found = pa.concat_tables(
            [_schema(feature).empty_table(), *(_of_entities(table, ids) for table in tables)]
        )
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("found", found)
            return connection.execute(_EACH_ONCE).to_arrow_table().cast(_schema(feature))


def _found(
    storage: Storage,
    feature: FeatureVersion,
    start: datetime,
    end: datetime,
    known_at: datetime | None,
) -> Iterator[pa.Table]:
    """Yield the values of a time from each snapshot that may have some."""
    for day in storage.days():
        if not start <= midnight(day) < end + feature.look_back:
            continue
        manifest = storage.manifest(day)
        if manifest is None or (known_at is not None and manifest.created_at > known_at):
            continue
        rows = read_values(storage, manifest, feature)
        if rows is None:
            continue
        timestamps = rows["timestamp"]
        after_start = pc.greater_equal(timestamps, pa.scalar(start, _INSTANT))
        rows = rows.filter(pc.and_(after_start, pc.less(timestamps, pa.scalar(end, _INSTANT))))
        created = pa.scalar(manifest.created_at, _INSTANT)
        yield pa.table(
            {
                "entity_id": rows["entity_id"],
                "value": _transported(rows["feature_value"], feature),
                "timestamp": rows["timestamp"],
                "created": pa.repeat(created, rows.num_rows),
            },
            schema=_schema(feature),
        )


def _of_entities(table: pa.Table, ids: pa.Array) -> pa.Table:
    return table.filter(pc.is_in(table["entity_id"], value_set=ids))


def _transported(values: pa.ChunkedArray, feature: FeatureVersion) -> pa.ChunkedArray:
    if feature.feature_type in _PLAIN:
        return values
    return pa.chunked_array(
        [encode(chunk, feature.feature_type) for chunk in values.chunks], pa.string()
    )


def _schema(feature: FeatureVersion) -> pa.Schema:
    plain = feature.feature_type in _PLAIN
    return pa.schema(
        {
            "entity_id": pa.string(),
            "value": VALUE_TYPES[feature.feature_type] if plain else pa.string(),
            "timestamp": _INSTANT,
            "created": _INSTANT,
        }
    )
