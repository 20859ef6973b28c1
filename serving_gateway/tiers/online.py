"""Redis: what is fresh."""

import asyncio
from collections.abc import Sequence
from itertools import chain

import orjson
import redis.asyncio

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.redis_reads import event_timestamps, read_expiring_texts, read_texts
from foundation.errors import StoreUnavailable
from foundation.redis import AsyncClient
from foundation.redis_pipeline import PipelinedReads
from serving_gateway.columns import Column, Found
from serving_gateway.deadline import NO_DEADLINE, Deadline
from serving_gateway.tiers.guard import Guard

_PING_SECONDS = 1.0
_NO_KEY = "feature:"


class OnlineTier:
    """
    Reads all columns in one round trip to each node.

    Args:
        client: Of one node or of a cluster.
        connections: Reads at a time; the client refuses what goes beyond its connections, so
            further ones wait here.
        guard: Keeps reads off a sick Redis.
    """

    name = "online"

    def __init__(self, client: AsyncClient, *, connections: int, guard: Guard) -> None:
        self._reads = PipelinedReads(client) if isinstance(client, redis.asyncio.Redis) else client
        self._turns = asyncio.Semaphore(connections)
        self._guard = guard

    def serves(self, feature: FeatureVersion) -> bool:
        """Tell whether a feature version is materialized."""
        return "redis" in feature.serving_location

    async def read(
        self, columns: Sequence[Column], *, is_timed: bool, deadline: Deadline = NO_DEADLINE
    ) -> list[Found]:
        """Read values that are fresh; see `Tier.read`."""
        work = self._read_timed if is_timed else self._read
        return await self._guard.read(columns, lambda: work(columns), deadline)

    async def close(self) -> None:
        """Hang up."""
        if isinstance(self._reads, PipelinedReads):
            await self._reads.close()

    async def answers(self) -> bool:
        """Tell whether Redis answers; connects to it if need be."""
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await read_texts(self._reads, [_NO_KEY])
        except (StoreUnavailable, TimeoutError):
            return False
        return True

    async def _read(self, columns: Sequence[Column]) -> list[Found]:
        keys = list(chain.from_iterable(column.redis_keys() for column in columns))
        async with self._turns:
            texts = await read_texts(self._reads, keys)
        _check_texts(texts)
        found = []
        start = 0
        for column in columns:
            stop = start + len(column.entity_ids)
            found.append(Found(texts[start:stop]))
            start = stop
        return found

    async def _read_timed(self, columns: Sequence[Column]) -> list[Found]:
        keys = list(chain.from_iterable(column.redis_keys() for column in columns))
        async with self._turns:
            texts, expiries = await read_expiring_texts(self._reads, keys)
        _check_texts(texts)
        found = []
        start = 0
        for column in columns:
            stop = start + len(column.entity_ids)
            timestamps = event_timestamps(column.feature, expiries[start:stop])
            found.append(Found(texts[start:stop], timestamps))
            start = stop
        return found


def _check_texts(texts: Sequence[bytes | None]) -> None:
    """
    Refuse texts that are no JSON: answers are spliced from them.

    Raises:
        StoreUnavailable: One of them is none.
    """
    present = [text for text in texts if text is not None]
    try:
        values = orjson.loads(b"[%b]" % b",".join(present))
    except orjson.JSONDecodeError:
        values = ()
    if len(values) != len(present):
        raise StoreUnavailable("Redis holds a value that is no JSON")
