"""Make a day's snapshot."""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime

import pyarrow as pa

from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES, decode
from feature_repo.stores.sql import dropped_table, known_values_query
from foundation.errors import ConfigurationError, JobAlreadyRunning
from foundation.postgres import advisory_lock, connect
from foundation.settings import Settings
from transformations.archives.thawing import hold_dropped
from transformations.engines.postgres import PostgresEngine
from transformations.snapshots.manifest import Manifest, day_folder, midnight
from transformations.snapshots.storage import Storage
from transformations.value_files import ValueFile, value_path

_ROWS_PER_GROUP = 131_072


def create(
    settings: Settings,
    storage: Storage,
    features: Sequence[FeatureVersion],
    day: date,
    *,
    now: datetime,
    force: bool,
    on_progress: Callable[[FeatureVersion], None],
) -> Manifest:
    """
    Write down the values of feature versions as they were known when a day started, in UTC.

    A snapshot that is there stays as it is, so that what was trained on it can be trained again.
    Memory doesn't grow with the number of values, except of days that PostgreSQL has dropped; all
    of them are of one state of the database.

    Args:
        settings: Where the values are.
        storage: Where snapshots are.
        features: What to write.
        day: Which.
        now: Current instant.
        force: Make the snapshot anew, with corrections that came since.
        on_progress: Called after each feature version.

    Raises:
        ConfigurationError: The day has not started.
        ContractViolation: PostgreSQL has dropped values of it, and the archive is damaged.
        JobAlreadyRunning: Another process makes this day's snapshot.
        StoreUnavailable: PostgreSQL or the storage of snapshots can't be reached, or is full.
    """
    if midnight(day) > now:
        raise ConfigurationError(
            f"the snapshot of {day} can't be made before the day has started, in UTC"
        )
    with (
        connect(settings, autocommit=True) as connection,
        advisory_lock(connection, f"snapshot:{day}") as is_held,
    ):
        if not is_held:
            raise JobAlreadyRunning(f"the snapshot of {day} is being made by another process")
        present = storage.manifest(day) if not force else None
        if present is not None:
            return present
        with hold_dropped(settings, features, as_of=midnight(day)) as dropped:
            storage.remove(day)  # what an interrupted attempt may have left
            with PostgresEngine.open(settings, tables=dropped) as engine:
                files = []
                for feature in features:
                    files.append(_write(engine, storage, feature, day, dropped))
                    on_progress(feature)
        manifest = Manifest(day, now, files)
        storage.commit(manifest)
        return manifest


def snapshot_schema(feature: FeatureVersion) -> pa.Schema:
    """Return the columns of a feature version's file."""
    return pa.schema(
        {
            "entity_id": pa.string(),
            "feature_name": pa.string(),
            "feature_value": VALUE_TYPES[feature.feature_type],
            "version": pa.string(),
            "timestamp": pa.timestamp("us", "UTC"),
        }
    )


def _write(
    engine: PostgresEngine,
    storage: Storage,
    feature: FeatureVersion,
    day: date,
    dropped: Collection[str],
) -> ValueFile:
    folder, path = day_folder(day), value_path(feature.feature_name, feature.version)
    query = known_values_query(
        feature, as_of=midnight(day), with_dropped=dropped_table(feature) in dropped
    )
    row_count = 0
    with storage.parquet_writer(f"{folder}/{path}", snapshot_schema(feature)) as writer:
        for rows in engine.stream(query, rows_per_batch=_ROWS_PER_GROUP):
            writer.write_table(_typed(feature, rows))
            row_count += rows.num_rows
    sha256, byte_count = storage.digest(folder, path)
    return ValueFile(feature.reference, path, row_count, byte_count, sha256)


def _typed(feature: FeatureVersion, rows: pa.Table) -> pa.Table:
    values = rows["feature_value"].combine_chunks()
    if feature.feature_type is FeatureType.MAP:
        values = decode(values, FeatureType.MAP)
    schema = snapshot_schema(feature)
    columns = [
        rows["entity_id"].cast(pa.string()),
        pa.repeat(feature.feature_name, rows.num_rows),
        values.cast(schema.field("feature_value").type),
        pa.repeat(feature.version, rows.num_rows),
        rows["timestamp"].cast(pa.timestamp("us", "UTC")),
    ]
    return pa.Table.from_arrays(columns, schema=schema)
