"""What retired versions leave behind, removed once they can't come back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg import sql

from feature_repo.registry.lifecycle import KEPT_AFTER_RETIREMENT
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.stores.redis_values import delete_values
from foundation.postgres import Connection, connect
from foundation.redis import connect as connect_redis
from foundation.settings import Settings

_TABLES: tuple[LiteralString, ...] = ("feature_latest", "feature_values", "replaced_values")
# Of one transaction: short enough that nobody waits for its locks.
_ROWS_PER_STEP = 10_000

_DELETE = """
DELETE FROM {table} WHERE (tableoid, ctid) IN (
    SELECT tableoid, ctid FROM {table} WHERE feature_name = %s AND version = %s LIMIT %s
)
"""


@dataclass(frozen=True)
class Removed:
    """How many values of a retired version were removed."""

    feature: FeatureVersion
    online: int
    offline: int


def removable(features: Sequence[FeatureVersion], *, now: datetime) -> list[FeatureVersion]:
    """Return the versions that were retired so long ago that they can't be rolled back to."""
    return [
        feature
        for feature in features
        if feature.status is Status.RETIRED
        and now - (feature.retired_at or feature.updated_at) > KEPT_AFTER_RETIREMENT
    ]


def remove_retired(
    settings: Settings,
    features: Sequence[FeatureVersion],
    *,
    now: datetime,
    on_progress: Callable[[int], None] = lambda _: None,
) -> list[Removed]:
    """
    Remove the values of versions that can't come back, step by step; snapshots keep theirs.

    It may be stopped at any point, and called again.

    Args:
        settings: Say where the stores are.
        features: All that are deployed.
        now: Decides which can't come back.
        on_progress: Told how many rows a step removed.

    Raises:
        StoreUnavailable: A store can't be reached.
    """
    done = []
    client = connect_redis(settings)
    try:
        with connect(settings, autocommit=True) as connection:
            for feature in removable(features, now=now):
                online = delete_values(client, feature.feature_name, feature.version)
                offline = sum(
                    _remove_rows(connection, table, feature, on_progress) for table in _TABLES
                )
                if online or offline:
                    done.append(Removed(feature, online, offline))
    finally:
        client.close()
    return done


def _remove_rows(
    connection: Connection,
    table: LiteralString,
    feature: FeatureVersion,
    on_progress: Callable[[int], None],
) -> int:
    statement = sql.SQL(_DELETE).format(table=sql.Identifier(table))
    total = 0
    while True:
        cursor = connection.execute(
            statement, (feature.feature_name, feature.version, _ROWS_PER_STEP)
        )
        total += cursor.rowcount
        on_progress(cursor.rowcount)
        if cursor.rowcount < _ROWS_PER_STEP:
            return total
