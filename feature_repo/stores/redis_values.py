"""
Feature values in Redis: every value has its own key, its JSON text, and its own life.

A value expires at its event timestamp plus the staleness tolerance, to the millisecond. What is
there is therefore fresh, and a key's expiry tells its event timestamp.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import redis

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.keys import key_parts
from feature_repo.stores.redis_batches import batches
from feature_repo.stores.redis_errors import translated_errors
from feature_repo.stores.resp import bulk_strings, script_calls
from foundation.errors import ContractViolation
from foundation.redis import Client

# What went wrong, by node.
Failures = dict[redis.Redis, Exception]

_CALLS_IN_FLIGHT = 32
# Of input; building commands takes a few times as much memory.
_BYTES_PER_PASS = 32_000_000
_KEYS_PER_SCAN = 1_000

# An expiry is the event timestamp shifted by a constant, so expiries compare like timestamps. A key
# that is missing has -2.
_STORE = """
local call, keys, argv = redis.call, KEYS, ARGV
local expiry_text = argv[1]
local expiry = tonumber(expiry_text)
local stored = 0
for i = 1, #keys do
    if call('PEXPIRETIME', keys[i]) {is_replaced} expiry then
        call('SET', keys[i], argv[i + 1], 'PXAT', expiry_text)
        stored = stored + 1
    end
end
return stored
"""
_STORE_NEWER = _STORE.format(is_replaced="<")
_STORE_NEWER_OR_EQUAL = _STORE.format(is_replaced="<=")


def write_values(
    client: Client,
    feature: FeatureVersion,
    values: pa.Table,
    *,
    now: datetime,
    replaces_equal: bool = True,
) -> int:
    """
    Store the values that are fresh, unless a newer one is there.

    A node of a cluster that fails costs its own values: the others' are stored all the same.

    Writing again changes nothing, so a failed write can be repeated.

    Args:
        client: Of one node or of a cluster.
        feature: Whose values they are.
        values: entity_id string, feature_value JSON text, timestamp; no nulls.
        now: What expired before is not stored.
        replaces_equal: Whether an equally old one is replaced: this one is a correction.

    Returns:
        Number of values stored.

    Raises:
        ContractViolation: A value is null; nothing has been stored.
        StoreUnavailable: Redis can't be reached, or refuses; some values may have been stored.
    """
    _refuse_nulls(feature, values)
    rows_per_pass = 1 + values.num_rows * _BYTES_PER_PASS // max(values.nbytes, 1)
    script = _STORE_NEWER_OR_EQUAL if replaces_equal else _STORE_NEWER
    stored = 0
    failures: Failures = {}
    with translated_errors():
        _learn_slots(client)
        for start in range(0, values.num_rows, rows_per_pass):
            rows = values.slice(start, rows_per_pass)
            stored += _write_pass(client, feature, rows, now, script, failures)
        for failure in failures.values():
            raise failure
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
    with translated_errors():
        for node in _primaries(client):
            cursor = None
            while cursor != 0:
                cursor, keys = node.scan(cursor or 0, f"{prefix}*{suffix}", _KEYS_PER_SCAN)
                pipeline = node.pipeline(transaction=False)
                for key in keys:  # one by one: in a cluster they are of different slots
                    pipeline.unlink(key)
                removed += sum(pipeline.execute())
    return removed


def delete_keys(client: Client, keys: Sequence[str]) -> int:
    """
    Remove values by key.

    Returns:
        Number of values removed.

    Raises:
        StoreUnavailable: Redis can't be reached, or refuses; some values may have been removed.
    """
    with translated_errors():
        pipeline = client.pipeline(transaction=False)
        for key in keys:  # one by one: in a cluster they are of different slots
            pipeline.unlink(key)
        return sum(pipeline.execute())


def _refuse_nulls(feature: FeatureVersion, values: pa.Table) -> None:
    for name in ("entity_id", "feature_value", "timestamp"):
        if nulls := values[name].null_count:
            raise ContractViolation(
                f"{feature.reference}: {nulls:,} of {values.num_rows:,} rows have no {name}",
                hint="Leave out what has no value before writing to Redis.",
            )


def _write_pass(
    client: Client,
    feature: FeatureVersion,
    rows: pa.Table,
    now: datetime,
    script: str,
    failures: Failures,
) -> int:
    """Store rows with those nodes that have not failed yet, and note those that do."""
    sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    expiries = _expiries(rows["timestamp"], feature.staleness_tolerance)
    fresh = pc.greater(expiries, _milliseconds(now))
    rows = rows.filter(fresh).combine_chunks()
    expiries = expiries.filter(fresh).to_numpy()
    prefix, suffix = key_parts(feature.feature_name, feature.version)
    identifiers, texts = (_one_array(rows[name]) for name in ("entity_id", "feature_value"))
    keys = pc.binary_join_element_wise(prefix, identifiers, suffix, "")
    stored = 0
    for node, batch in batches(client, keys, expiries):
        if node in failures:
            continue
        calls = script_calls(
            sha,
            bulk_strings(keys.take(batch.order)),
            bulk_strings(texts.take(batch.order)),
            first_arguments=batch.expiries,
            lengths=batch.lengths,
        )
        try:
            node.script_load(script)
            stored += _send(node, calls)
        except (redis.RedisError, OSError) as error:
            failures[node] = error
    return stored


def _one_array(column: pa.ChunkedArray) -> pa.StringArray:
    return column.chunk(0) if column.num_chunks else pa.array([], pa.string())


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


def _learn_slots(client: Client) -> None:
    """Ask a cluster which node has what: what goes to single nodes bypasses the client's ways."""
    if isinstance(client, redis.RedisCluster):
        client.nodes_manager.initialize()


def _primaries(client: Client) -> list[redis.Redis]:
    if isinstance(client, redis.Redis):
        return [client]
    _learn_slots(client)
    return [client.get_redis_connection(node) for node in client.get_primaries()]
