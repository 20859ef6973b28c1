"""
Feature values in Redis: every value has its own key, its JSON text, and its own life.

A value expires at its event timestamp plus the staleness tolerance, to the millisecond. What is
there is therefore fresh, and a key's expiry tells its event timestamp.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import redis
import redis.asyncio
from redis.crc import key_slot

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.keys import key_parts
from feature_repo.stores.resp import bulk_strings, script_calls
from foundation.errors import StoreUnavailable
from foundation.redis import AsyncClient, Client

Rows = np.ndarray[tuple[int], np.dtype[np.int64]]

# Measured: larger calls are no faster, and keep Redis from others for longer than a millisecond.
_ROWS_PER_CALL = 250
_CALLS_IN_FLIGHT = 32
_ROWS_PER_PASS = 100_000
_KEYS_PER_SCAN = 1_000

# An expiry is the event timestamp shifted by a constant, so expiries compare like timestamps. A key
# that is missing has -2.
_STORE_NEWER_OR_EQUAL = """
local call, keys, argv = redis.call, KEYS, ARGV
local expiry_text = argv[1]
local expiry = tonumber(expiry_text)
local stored = 0
for i = 1, #keys do
    if call('PEXPIRETIME', keys[i]) <= expiry then
        call('SET', keys[i], argv[i + 1], 'PXAT', expiry_text)
        stored = stored + 1
    end
end
return stored
"""
_SCRIPT_SHA = hashlib.sha1(_STORE_NEWER_OR_EQUAL.encode(), usedforsecurity=False).hexdigest()


def write_values(
    client: Client, feature: FeatureVersion, values: pa.Table, *, now: datetime
) -> int:
    """
    Store the values that are fresh, unless a newer one is there; an equally old one is replaced.

    Writing again changes nothing, so a failed write can be repeated.

    Args:
        client: Of one node or of a cluster.
        feature: Whose values they are.
        values: entity_id string, feature_value JSON text, timestamp; no nulls.
        now: What expired before is not stored.

    Returns:
        Number of values stored.

    Raises:
        StoreUnavailable: Redis can't be reached, or refuses; some values may have been stored.
    """
    stored = 0
    with _translated_errors():
        for node in _primaries(client):
            node.script_load(_STORE_NEWER_OR_EQUAL)
        for start in range(0, values.num_rows, _ROWS_PER_PASS):
            stored += _write_pass(client, feature, values.slice(start, _ROWS_PER_PASS), now)
    return stored


def delete_values(client: Client, feature_name: str, version: str) -> int:
    """
    Remove all values of a feature version, in small steps that let other commands through.

    Returns:
        Number of values removed.

    Raises:
        StoreUnavailable: Redis can't be reached, or refuses.
    """
    prefix, suffix = key_parts(feature_name, version)
    removed = 0
    with _translated_errors():
        for node in _primaries(client):
            cursor = None
            while cursor != 0:
                cursor, keys = node.scan(cursor or 0, f"{prefix}*{suffix}", _KEYS_PER_SCAN)
                pipeline = node.pipeline(transaction=False)
                for key in keys:  # one by one: in a cluster they are of different slots
                    pipeline.unlink(key)
                removed += sum(pipeline.execute())
    return removed


async def read_texts(client: AsyncClient, keys: Sequence[str]) -> list[bytes | None]:
    """
    Read values by key; one round trip to each node.

    Returns:
        JSON texts in the order of the keys; None where there is no fresh value.

    Raises:
        StoreUnavailable: Redis can't be reached, is too slow, or refuses.
    """
    if not keys:
        return []
    with _translated_errors():
        if isinstance(client, redis.asyncio.RedisCluster):
            pipeline = client.pipeline()
            for key in keys:
                pipeline.get(key)
            found: list[bytes | None] = await pipeline.execute()
            return found
        texts: list[bytes | None] = await client.mget(keys)
        return texts


TimedText = tuple[bytes, datetime] | None


def read_timed_texts(
    client: Client, features: Sequence[FeatureVersion], keys: Sequence[str]
) -> list[TimedText]:
    """
    Read values with their event timestamps; one round trip to each node.

    Args:
        client: Of one node or of a cluster.
        features: Whose value each key holds.
        keys: As many as features.

    Returns:
        JSON text and aware event timestamp in the order of the keys; None where there is no fresh
        value.

    Raises:
        StoreUnavailable: Redis can't be reached, or refuses.
    """
    with _translated_errors():
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.get(key)
            pipeline.pexpiretime(key)
        return _timed(features, pipeline.execute())


async def read_timed_texts_async(
    client: AsyncClient, features: Sequence[FeatureVersion], keys: Sequence[str]
) -> list[TimedText]:
    """Do what `read_timed_texts` does, without blocking."""
    with _translated_errors():
        pipeline = (
            client.pipeline()
            if isinstance(client, redis.asyncio.RedisCluster)
            else client.pipeline(transaction=False)
        )
        for key in keys:
            pipeline.get(key)
            pipeline.pexpiretime(key)
        return _timed(features, await pipeline.execute())


def _write_pass(client: Client, feature: FeatureVersion, rows: pa.Table, now: datetime) -> int:
    expiries = _expiries(rows["timestamp"], feature.staleness_tolerance)
    stored = 0
    for expiry in pc.unique(expiries).to_pylist():
        if expiry > _milliseconds(now):
            stored += _write_expiring(
                client, feature, rows.filter(pc.equal(expiries, expiry)), expiry
            )
    return stored


def _write_expiring(client: Client, feature: FeatureVersion, rows: pa.Table, expiry: int) -> int:
    prefix, suffix = key_parts(feature.feature_name, feature.version)
    identifiers, texts = (
        pa.concat_arrays(rows[name].chunks) for name in ("entity_id", "feature_value")
    )
    keys = pc.binary_join_element_wise(prefix, identifiers, suffix, "")
    stored = 0
    for node, order, lengths in _batches(client, keys):
        calls = script_calls(
            _SCRIPT_SHA,
            bulk_strings(keys.take(order)),
            bulk_strings(texts.take(order)),
            first_argument=str(expiry),
            lengths=lengths,
        )
        stored += _send(node, calls)
    return stored


def _expiries(timestamps: pa.ChunkedArray, tolerance: timedelta) -> pa.ChunkedArray:
    """Return when values expire, in whole milliseconds since the epoch."""
    event_times = pc.cast(timestamps, pa.timestamp("us", "UTC"))
    return (
        pc.floor_temporal(pc.add(event_times, pa.scalar(tolerance)), unit="millisecond")
        .cast(pa.timestamp("ms", "UTC"))
        .cast(pa.int64())
    )


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000)


def _batches(
    client: Client, keys: pa.StringArray
) -> Iterator[tuple[redis.Redis, pa.Array, list[int]]]:
    """Yield for each node its client, its rows, and how many of them each call takes."""
    if isinstance(client, redis.Redis):
        full, rest = divmod(len(keys), _ROWS_PER_CALL)
        yield client, pa.array(np.arange(len(keys))), [_ROWS_PER_CALL] * full + [rest] * bool(rest)
        return
    # A call may touch one slot only.
    slots = np.fromiter((key_slot(key.encode()) for key in keys.to_pylist()), np.int64, len(keys))
    order = np.argsort(slots, kind="stable")
    starts = np.flatnonzero(np.diff(slots[order], prepend=-1))
    by_node: dict[str, list[Rows]] = {}
    for rows in np.split(order, starts[1:]):
        node = client.nodes_manager.get_node_from_slot(int(slots[rows[0]]))
        by_node.setdefault(node.name, []).extend(
            np.split(rows, range(_ROWS_PER_CALL, len(rows), _ROWS_PER_CALL))
        )
    for name, calls in by_node.items():
        node = client.get_node(node_name=name)
        lengths = [len(rows) for rows in calls]
        yield client.get_redis_connection(node), pa.array(np.concatenate(calls)), lengths


def _send(node: redis.Redis, calls: Sequence[bytes]) -> int:
    """Send calls, some ahead of their answers, and add up the answers."""
    connection = node.connection_pool.get_connection()
    stored = 0
    try:
        for position, call in enumerate(calls):
            connection.send_packed_command([call])
            if position >= _CALLS_IN_FLIGHT:
                stored += connection.read_response()
        for _ in calls[:_CALLS_IN_FLIGHT]:
            stored += connection.read_response()
    except BaseException:
        connection.disconnect()  # answers may be left unread
        raise
    finally:
        node.connection_pool.release(connection)
    return stored


def _primaries(client: Client) -> list[redis.Redis]:
    if isinstance(client, redis.Redis):
        return [client]
    return [client.get_redis_connection(node) for node in client.get_primaries()]


def _timed(features: Sequence[FeatureVersion], answers: Sequence[Any]) -> list[TimedText]:
    return [
        None
        if text is None
        else (text, datetime.fromtimestamp(expiry / 1_000, UTC) - feature.staleness_tolerance)
        for feature, text, expiry in zip(features, answers[::2], answers[1::2], strict=True)
    ]


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, redis.RedisClusterException, OSError) as error:
        raise StoreUnavailable(
            f"Redis: {error}", hint="Is it running? `make up` starts the embedded one."
        ) from error
