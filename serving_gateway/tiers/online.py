"""Redis: what is fresh."""

import asyncio
from collections.abc import Sequence
from itertools import chain

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.redis_reads import event_timestamps, read_expiring_texts, read_texts
from foundation.errors import StoreUnavailable
from foundation.redis_commands import Keys
from foundation.redis_pipeline import PipelinedReads
from serving_gateway.columns import Column, Found, by_column
from serving_gateway.deadline import NO_DEADLINE, Deadline
from serving_gateway.tiers.guard import Guard
from serving_gateway.tiers.soundness import SoundTexts

PING_SECONDS = 1.0
_NO_KEY = Keys.unlike(["feature:"])


class OnlineTier:
    """
    Reads all columns in one round trip.

    Args:
        reads: From one node.
        guard: Keeps reads off a sick Redis.
        sound: Passes on what is a value.
    """

    name = "online"

    def __init__(self, reads: PipelinedReads, *, guard: Guard, sound: SoundTexts) -> None:
        self._reads = reads
        self._guard = guard
        self._sound = sound

    def serves(self, feature: FeatureVersion) -> bool:
        """Tell whether a feature version is materialized."""
        return is_materialized(feature)

    async def read(
        self, columns: Sequence[Column], *, is_timed: bool, deadline: Deadline = NO_DEADLINE
    ) -> list[Found]:
        """Read values that are fresh; see `Tier.read`."""
        work = self._read_timed if is_timed else self._read
        return await self._guard.read(columns, lambda: work(columns), deadline)

    async def close(self) -> None:
        """Hang up."""
        await self._reads.close()

    def retire(self) -> None:
        """Be watched no longer: Redis is not there any more."""
        self._guard.retire()

    async def answers(self) -> bool:
        """Tell whether Redis answers; connects to it if need be."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                await read_texts(self._reads, [_NO_KEY])
        except (StoreUnavailable, TimeoutError):
            return False
        return True

    async def _read(self, columns: Sequence[Column]) -> list[Found]:
        texts = await read_texts(self._reads, [column.keys() for column in columns])
        return list(map(Found, self._sound.of_each(columns, texts)))

    async def _read_timed(self, columns: Sequence[Column]) -> list[Found]:
        keys = list(chain.from_iterable(column.keys().spelt_out() for column in columns))
        texts, expiries = await read_expiring_texts(self._reads, keys)
        timestamps = map(
            event_timestamps, (c.feature for c in columns), by_column(columns, expiries)
        )
        return list(map(Found, self._sound.of_each(columns, texts), timestamps))


def is_materialized(feature: FeatureVersion) -> bool:
    """Tell whether values of a feature version are in Redis."""
    return "redis" in feature.serving_location
