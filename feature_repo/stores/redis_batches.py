"""Which rows of a bulk write go to which node of Redis, and in which call."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import redis
from redis.crc import key_slot

from foundation.redis import Client

Integers = np.ndarray[tuple[int], np.dtype[np.int64]]

# Measured: larger calls are no faster, and keep Redis from others for longer than a millisecond.
_ROWS_PER_CALL = 250


@dataclass(frozen=True)
class Batch:
    """
    What one node is sent.

    Attributes:
        order: Its rows, those of one call together.
        lengths: How many rows each call takes.
        expiries: Of each call's rows.
    """

    order: pa.Array
    lengths: list[int]
    expiries: list[int]


def batches(
    client: Client, keys: pa.StringArray, expiries: Integers
) -> Iterator[tuple[redis.Redis, Batch]]:
    """
    Yield what each node is sent, with the node's client.

    Args:
        client: Of one node or of a cluster.
        keys: Each row's key.
        expiries: Each row's expiry.
    """
    for node, rows, slots in _rows_by_node(client, keys):
        positions = np.lexsort((expiries[rows], slots))  # stable: of equal rows the last stays last
        order = rows[positions]
        starts = _call_starts(slots[positions], expiries[order])
        lengths = np.diff(starts, append=len(order))
        yield node, Batch(pa.array(order), lengths.tolist(), expiries[order[starts]].tolist())


def _call_starts(slots: Integers, expiries: Integers) -> Integers:
    """Return where calls start: one takes rows of one slot and expiry, and not too many."""
    positions = np.arange(len(slots))
    changes = (np.diff(slots, prepend=-1) != 0) | (np.diff(expiries, prepend=-1) != 0)
    run_starts = np.maximum.accumulate(np.where(changes, positions, 0))
    starts: Integers = np.flatnonzero((positions - run_starts) % _ROWS_PER_CALL == 0)
    return starts


def _rows_by_node(
    client: Client, keys: pa.StringArray
) -> Iterator[tuple[redis.Redis, Integers, Integers]]:
    """Yield for each node its client, its rows, and their slots: 0 outside a cluster."""
    if isinstance(client, redis.Redis):
        rows = np.arange(len(keys))
        yield client, rows, np.zeros_like(rows)
        return
    slots = np.fromiter((key_slot(key.encode()) for key in keys.to_pylist()), np.int64, len(keys))
    used, positions = np.unique(slots, return_inverse=True)
    owners = [client.nodes_manager.get_node_from_slot(int(slot)) for slot in used]
    names = np.array([owner.name for owner in owners], dtype=np.str_)[positions]
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        yield client.get_redis_connection(client.get_node(node_name=str(name))), rows, slots[rows]
