"""Write computed values to PostgreSQL: the latest value of each entity, and the history."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.partitions import keep_months
from foundation.copy import copy_table
from foundation.postgres import Connection

_STAGE = """
CREATE TEMP TABLE staged_values
    (entity_id text, feature_value jsonb, "timestamp" timestamptz) ON COMMIT DROP
"""

_UPSERT_LATEST_FROM = """
INSERT INTO feature_latest AS kept (entity_id, feature_name, feature_value, version, "timestamp")
SELECT entity_id, %(feature_name)s, feature_value, %(version)s, "timestamp"
FROM {rows}
ON CONFLICT (feature_name, version, entity_id) DO UPDATE
SET feature_value = excluded.feature_value,
    "timestamp" = excluded."timestamp",
    created_at = clock_timestamp()
WHERE {is_replaced}
"""

# An older run never undoes a newer one.
_IS_NEWER = 'kept."timestamp" < excluded."timestamp"'

# A re-run changes nothing, and a correction replaces.
_UPSERT_LATEST = _UPSERT_LATEST_FROM.format(
    rows="staged_values",
    is_replaced=f'{_IS_NEWER} OR (kept."timestamp" = excluded."timestamp" '
    "AND kept.feature_value <> excluded.feature_value)",
)

# For a few values that were computed beside the runs, and so correct nothing: parameters are
# feature_name, version and, as arrays of one length, in the order of entity_ids: entity_ids,
# feature_values (JSON texts) and timestamps.
UPSERT_LATEST_ARRAYS = _UPSERT_LATEST_FROM.format(
    rows="unnest(%(entity_ids)s::text[], %(feature_values)s::jsonb[], "
    '%(timestamps)s::timestamptz[]) AS computed (entity_id, feature_value, "timestamp")',
    is_replaced=_IS_NEWER,
)

# A run has one value an entity; what is pushed may have several.
_UPSERT_NEWEST = _UPSERT_LATEST.replace(
    "FROM staged_values",
    "FROM (SELECT DISTINCT ON (entity_id) * FROM staged_values"
    ' ORDER BY entity_id, "timestamp" DESC) AS newest',
)

_UPSERT_HISTORY = """
INSERT INTO feature_values AS kept (entity_id, feature_name, feature_value, version, "timestamp")
SELECT entity_id, %(feature_name)s, feature_value, %(version)s, "timestamp"
FROM staged_values
ON CONFLICT (feature_name, version, entity_id, "timestamp") DO UPDATE
SET feature_value = excluded.feature_value
WHERE kept.feature_value <> excluded.feature_value
"""


@dataclass(frozen=True)
class WrittenRows:
    """How many rows a write changed in each table; history is None if it was left out."""

    latest: int
    history: int | None


def write_values(
    connection: Connection,
    feature: FeatureVersion,
    rows: pa.Table,
    *,
    as_of: datetime,
    append_history: bool,
) -> WrittenRows:
    """
    Write one run's values in the connection's transaction.

    Args:
        connection: Its transaction receives the rows; the caller commits.
        feature: Whose values they are.
        rows: entity_id, feature_value as JSON text, timestamp; all timestamps are `as_of`. In the
            order of entity_id they are written several times as fast as in none.
        as_of: The run's instant; decides the partition of the history.
        append_history: Whether the run belongs to the history.
    """
    identity = {"feature_name": feature.feature_name, "version": feature.version}
    connection.execute(_STAGE)
    copy_table(connection, "staged_values", rows)
    if append_history:  # it may wait, so before anything is locked that others wait for
        keep_months(connection, [as_of])
    latest = connection.execute(_UPSERT_LATEST, identity).rowcount
    history = None
    if append_history:
        history = connection.execute(_UPSERT_HISTORY, identity).rowcount
    connection.execute("DROP TABLE staged_values")
    return WrittenRows(latest=latest, history=history)


def remove_older(connection: Connection, feature: FeatureVersion, *, than: datetime) -> None:
    """Remove latest values of a feature version, in the connection's transaction."""
    connection.execute(
        'DELETE FROM feature_latest WHERE feature_name = %s AND version = %s AND "timestamp" < %s',
        (feature.feature_name, feature.version, than),
    )


def append_values(connection: Connection, feature: FeatureVersion, rows: pa.Table) -> WrittenRows:
    """
    Write values of any instants in the connection's transaction, all of them to the history.

    Args:
        connection: Its transaction receives the rows; the caller commits.
        feature: Whose values they are.
        rows: entity_id, feature_value as JSON text, timestamp; an entity and timestamp once.
    """
    identity = {"feature_name": feature.feature_name, "version": feature.version}
    connection.execute(_STAGE)
    copy_table(connection, "staged_values", rows)
    months = pc.unique(pc.floor_temporal(rows["timestamp"], unit="month"))
    keep_months(connection, months.to_pylist())
    latest = connection.execute(_UPSERT_NEWEST, identity).rowcount
    history = connection.execute(_UPSERT_HISTORY, identity).rowcount
    connection.execute("DROP TABLE staged_values")
    return WrittenRows(latest=latest, history=history)
