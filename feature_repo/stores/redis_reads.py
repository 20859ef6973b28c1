"""
Reading many values from Redis at once, with or without their event timestamps.

A key expires at its value's event timestamp plus the staleness tolerance: its expiry tells when.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import redis
import redis.asyncio

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.redis_errors import ERRORS, translated_errors, unavailable
from foundation.redis import AsyncClient, Client
from foundation.redis_commands import Keys
from foundation.redis_pipeline import PipelinedReads

TimedText = tuple[bytes, datetime] | None
# JSON texts, None where there is no fresh value; milliseconds since the epoch, negative there.
ExpiringTexts = tuple[list[bytes | None], list[int]]


async def read_texts(reads: PipelinedReads, keys: Sequence[Keys]) -> list[bytes | None]:
    """
    Read values by key; one round trip.

    Args:
        reads: From one node.
        keys: At least one.

    Returns:
        JSON texts in the order of the keys; None where there is no fresh value.

    Raises:
        StoreUnavailable: Redis can't be reached, or refuses.
    """
    try:  # `translated_errors` would take as long as a tenth of what it is around
        return await reads.mget(keys)
    except ERRORS as error:
        raise unavailable(error) from error


async def read_expiring_texts(
    reads: AsyncClient | PipelinedReads, keys: Sequence[str]
) -> ExpiringTexts:
    """
    Read values by key with their expiries, of which `event_timestamps` tells what they mean.

    Raises:
        StoreUnavailable: Redis can't be reached, or refuses.
    """
    if not keys:
        return [], []
    with translated_errors():
        if isinstance(reads, PipelinedReads):
            texts = reads.mget([Keys.unlike(keys)])
            return _expiring(*await asyncio.gather(texts, reads.expiries(keys)))
        pipeline = (
            reads.pipeline()
            if isinstance(reads, redis.asyncio.RedisCluster)
            else reads.pipeline(transaction=False)
        )
        for key in keys:
            pipeline.get(key)
            pipeline.pexpiretime(key)
        answers = await pipeline.execute()
        return _expiring(answers[::2], answers[1::2])


def event_timestamps(feature: FeatureVersion, expiries: Sequence[int]) -> list[datetime | None]:
    """Return the event timestamps of a feature version's values; None where there is no value."""
    # Values of one run expire together.
    instants = {
        expiry: _event_timestamp(feature, expiry) for expiry in set(expiries) if expiry >= 0
    }
    return list(map(instants.get, expiries))


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
    with translated_errors():
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.get(key)
            pipeline.pexpiretime(key)
        answers = pipeline.execute()
        return _timed(features, _expiring(answers[::2], answers[1::2]))


async def read_timed_texts_async(
    client: AsyncClient, features: Sequence[FeatureVersion], keys: Sequence[str]
) -> list[TimedText]:
    """Do what `read_timed_texts` does, without blocking."""
    return _timed(features, await read_expiring_texts(client, keys))


def _expiring(texts: list[bytes | None], expiries: list[int]) -> ExpiringTexts:
    """Leave out what never expires, and what did between the two questions."""
    if min(expiries) < 0:
        texts = [None if expiry < 0 else text for text, expiry in zip(texts, expiries, strict=True)]
    return texts, expiries


def _timed(features: Sequence[FeatureVersion], found: ExpiringTexts) -> list[TimedText]:
    return [
        None if text is None else (text, _event_timestamp(feature, expiry))
        for feature, text, expiry in zip(features, *found, strict=True)
    ]


def _event_timestamp(feature: FeatureVersion, expiry: int) -> datetime:
    return datetime.fromtimestamp(expiry / 1_000, UTC) - feature.staleness_tolerance
