"""Redis: what is fresh."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from redis import RedisClusterException, RedisError

from feature_repo.stores.redis_values import read_texts
from foundation.errors import StoreUnavailable
from foundation.redis import AsyncClient
from serving_gateway.batch import Batch


class OnlineTier:
    """
    Reads a batch in one round trip to each node.

    Args:
        client: Of one node or of a cluster.
        connections: Reads at a time; the client refuses what goes beyond its connections, so
            further ones wait here.
        wait_seconds: Longest wait for a turn. The read's own limit is the client's.
    """

    name = "online"

    def __init__(self, client: AsyncClient, *, connections: int, wait_seconds: float) -> None:
        self._client = client
        self._turns = asyncio.Semaphore(connections)
        self._wait_seconds = wait_seconds

    async def read(self, batch: Batch, positions: Sequence[int]) -> list[bytes | None]:
        """Read values that are fresh; see `Tier.read`."""
        keys = batch.keys()
        wanted = keys if len(positions) == len(keys) else [keys[p] for p in positions]
        async with self._turn():
            return await read_texts(self._client, wanted)

    async def answers(self) -> bool:
        """Tell whether Redis answers."""
        try:
            async with self._turn():
                return bool(await self._client.ping())
        except (StoreUnavailable, RedisError, RedisClusterException, OSError):
            return False

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turns.acquire()
        except TimeoutError as error:
            raise StoreUnavailable(
                f"Redis: no connection was free within {self._wait_seconds:g} s",
                hint="FEATURE_STORE_REDIS_MAX_CONNECTIONS says how many there are; "
                "more gateways help too.",
            ) from error
        try:
            yield
        finally:
            self._turns.release()
