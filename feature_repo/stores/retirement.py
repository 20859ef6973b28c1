"""What retired versions leave behind, removed once they can't come back."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg import sql

from feature_repo.registry.lifecycle import can_come_back
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.stores.keys import redis_keys
from feature_repo.stores.redis_values import delete_keys
from foundation.postgres import Connection, connect
from foundation.redis import Client
from foundation.redis import connect as connect_redis
from foundation.settings import Settings

# 100,000,000 rows of history in six hours; jobs and readers don't notice.
ROWS_PER_SECOND = 5_000
# Of one transaction: short enough that nobody waits for its locks.
_ROWS_PER_STEP = 1_000
_LATEST: LiteralString = "feature_latest"
_TABLES: tuple[LiteralString, ...] = (_LATEST, "feature_values", "replaced_values")

_COUNT = "SELECT count(*) FROM {table} WHERE feature_name = %s AND version = %s"
_NEXT_ENTITIES = """
SELECT entity_id FROM feature_latest
WHERE feature_name = %s AND version = %s ORDER BY entity_id LIMIT %s
"""
_DELETE_ENTITIES = """
DELETE FROM feature_latest WHERE feature_name = %s AND version = %s AND entity_id = ANY(%s)
"""
_DELETE_ROWS = """
DELETE FROM {table} WHERE (tableoid, ctid) IN (
    SELECT tableoid, ctid FROM {table} WHERE feature_name = %s AND version = %s LIMIT %s
)
"""


@dataclass(frozen=True)
class Leftover:
    """What PostgreSQL holds of a retired version that can't come back."""

    feature: FeatureVersion
    rows: int


@dataclass(frozen=True)
class Removed:
    """How many values of a retired version were removed."""

    feature: FeatureVersion
    online: int
    offline: int


def leftovers(
    settings: Settings, features: Sequence[FeatureVersion], *, now: datetime
) -> list[Leftover]:
    """
    Return the retired versions that can't come back and have values still.

    Args:
        settings: Say where PostgreSQL is.
        features: All that are deployed.
        now: Decides which can't come back.

    Raises:
        StoreUnavailable: PostgreSQL can't be reached.
    """
    gone = [f for f in features if f.status is Status.RETIRED and not can_come_back(f, now=now)]
    with connect(settings) as connection:
        found = [Leftover(f, sum(_count(connection, f, table) for table in _TABLES)) for f in gone]
    return [leftover for leftover in found if leftover.rows]


def remove_values(
    settings: Settings,
    feature: FeatureVersion,
    *,
    rows_per_second: int = ROWS_PER_SECOND,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Removed:
    """
    Remove a version's values from both stores, step by step; snapshots keep theirs.

    It may be stopped at any point, and called again. The latest values say which keys Redis may
    hold, and go after them; a key that they don't know has expired by itself, or will.

    Args:
        settings: Say where the stores are.
        feature: The version.
        rows_per_second: How fast it may be.
        on_progress: Told how many rows a step removed.

    Raises:
        StoreUnavailable: A store can't be reached.
    """
    online = offline = 0
    client = connect_redis(settings)
    try:
        with connect(settings, autocommit=True) as connection:
            started = time.monotonic()
            for keys, rows in _steps(connection, client, feature):
                online, offline = online + keys, offline + rows
                on_progress(rows)
                due = started + offline / rows_per_second
                time.sleep(max(due - time.monotonic(), 0.0))
    finally:
        client.close()
    return Removed(feature, online, offline)


def _steps(
    connection: Connection, client: Client, feature: FeatureVersion
) -> Iterator[tuple[int, int]]:
    """Remove a little at a time, and yield the numbers of keys and of rows."""
    key = (feature.feature_name, feature.version)
    while page := connection.execute(_NEXT_ENTITIES, (*key, _ROWS_PER_STEP)).fetchall():
        entity_ids = [row[0] for row in page]
        keys = delete_keys(client, redis_keys(*key, entity_ids))
        yield keys, connection.execute(_DELETE_ENTITIES, (*key, entity_ids)).rowcount
    for table in _TABLES:
        if table != _LATEST:
            statement = sql.SQL(_DELETE_ROWS).format(table=sql.Identifier(table))
            while rows := connection.execute(statement, (*key, _ROWS_PER_STEP)).rowcount:
                yield 0, rows


def _count(connection: Connection, feature: FeatureVersion, table: LiteralString) -> int:
    statement = sql.SQL(_COUNT).format(table=sql.Identifier(table))
    row = connection.execute(statement, (feature.feature_name, feature.version)).fetchone()
    return int(row[0]) if row else 0
