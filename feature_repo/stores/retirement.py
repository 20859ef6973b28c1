"""What retired versions leave behind, removed once they can't come back."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import errors, sql

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.lifecycle import can_come_back
from feature_repo.registry.metadata import FeatureVersion, Status, view_name_of
from feature_repo.stores.keys import redis_keys
from feature_repo.stores.partitions import months
from feature_repo.stores.redis_values import delete_keys
from feature_repo.stores.stored_versions import VALUE_TABLES, stored_references
from foundation.postgres import Connection, connect
from foundation.redis import Client
from foundation.redis import connect as connect_redis
from foundation.settings import Settings

# 100,000,000 rows of history in six hours; jobs and readers don't notice.
ROWS_PER_SECOND = 5_000
# Of one transaction: short enough that nobody waits for its locks.
_ROWS_PER_STEP = 1_000
_REPLACED = "replaced_values"

_COUNT = "SELECT count(*) FROM {table} WHERE feature_name = %s AND version = %s"
_NEXT_ENTITIES = """
SELECT entity_id FROM feature_latest
WHERE feature_name = %s AND version = %s ORDER BY entity_id LIMIT %s
"""
_DELETE_ENTITIES = """
DELETE FROM feature_latest WHERE feature_name = %s AND version = %s AND entity_id = ANY(%s)
"""
_DELETE_ROWS = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table} WHERE feature_name = %s AND version = %s LIMIT %s
))
"""


@dataclass(frozen=True)
class Leftover:
    """How many rows PostgreSQL holds of a version that can't come back."""

    reference: str
    rows: int


@dataclass(frozen=True)
class Removed:
    """How many values of a version were removed."""

    reference: str
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
        found = [_leftover(connection, feature.reference) for feature in gone]
    return [leftover for leftover in found if leftover.rows]


def unknown_leftovers(settings: Settings, catalog: Catalog) -> list[Leftover]:
    """
    Return what is left of versions that the registry does not know, and that nobody retired.

    Of what it knows but can't be read nothing is left over.

    Raises:
        StoreUnavailable: PostgreSQL can't be reached.
    """
    known = {feature.view_name for feature in catalog.features} | catalog.unreadable.keys()
    with connect(settings) as connection:
        return [
            _leftover(connection, reference)
            for reference in sorted(stored_references(connection))
            if view_name_of(reference) not in known
        ]


def remove_values(
    settings: Settings,
    reference: str,
    *,
    rows_per_second: int = ROWS_PER_SECOND,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Removed:
    """
    Remove a version's values from both stores, step by step; snapshots and archive keep theirs.

    It may be stopped at any point, and called again. The latest values say which keys Redis may
    hold, and go after them; a key that they don't know has expired by itself, or will.

    Args:
        settings: Say where the stores are.
        reference: Of the version.
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
            for keys, rows in _steps(connection, client, reference):
                online, offline = online + keys, offline + rows
                on_progress(rows)
                due = started + offline / rows_per_second
                time.sleep(max(due - time.monotonic(), 0.0))
    finally:
        client.close()
    return Removed(reference, online, offline)


def _steps(connection: Connection, client: Client, reference: str) -> Iterator[tuple[int, int]]:
    """Remove a little at a time, and yield the numbers of keys and of rows."""
    key = _key(reference)
    while page := connection.execute(_NEXT_ENTITIES, (*key, _ROWS_PER_STEP)).fetchall():
        entity_ids = [row[0] for row in page]
        keys = delete_keys(client, redis_keys(*key, entity_ids))
        yield keys, connection.execute(_DELETE_ENTITIES, (*key, entity_ids)).rowcount
    # Month by month: who locks the history and then waits for a month that is being archived would
    # keep that month from being dropped.
    for table in (*(month.name for month in months(connection)), _REPLACED):
        statement = sql.SQL(_DELETE_ROWS).format(table=sql.Identifier(table))
        with contextlib.suppress(errors.UndefinedTable):  # archived meanwhile
            while rows := connection.execute(statement, (*key, _ROWS_PER_STEP)).rowcount:
                yield 0, rows


def _leftover(connection: Connection, reference: str) -> Leftover:
    rows = 0
    for table in VALUE_TABLES:
        statement = sql.SQL(_COUNT).format(table=sql.Identifier(table))
        row = connection.execute(statement, _key(reference)).fetchone()
        rows += int(row[0]) if row else 0
    return Leftover(reference, rows)


def _key(reference: str) -> tuple[str, str]:
    feature_name, _, version = reference.partition("==")
    return feature_name, version
