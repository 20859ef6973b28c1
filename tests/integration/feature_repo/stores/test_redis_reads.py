"""Values come with their event timestamps, however many are asked for."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
import redis
import redis.asyncio

from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.redis_reads import (
    event_timestamps,
    read_expiring_texts,
    read_timed_texts,
    read_timed_texts_async,
)
from feature_repo.stores.redis_values import write_values
from foundation.errors import StoreUnavailable
from foundation.redis import connect_async
from foundation.redis_pipeline import PipelinedReads
from foundation.settings import Settings
from tests.integration.feature_repo.stores.conftest import make_feature

NOW = datetime.now(UTC).replace(microsecond=123_000)
FEATURE = make_feature("score", FeatureType.FLOAT)
COUNT = 2_500
KEYS = [f"feature:score:p{n}:v1.0.0" for n in range(COUNT + 1)]
EXPECTED = [*((b"%d" % n, NOW) for n in range(COUNT)), None]


@pytest.fixture
def stored(valkey: redis.Redis) -> redis.Redis:
    """Return a client of a Valkey that holds more values than one script asks for."""
    values = pa.table(
        {
            "entity_id": [f"p{n}" for n in range(COUNT)],
            "feature_value": [str(n) for n in range(COUNT)],
            "timestamp": pa.array([NOW] * COUNT, pa.timestamp("us", "UTC")),
        }
    )
    write_values(valkey, FEATURE, values, now=NOW)
    return valkey


async def test_values_have_timestamps_whoever_reads(
    settings: Settings, stored: redis.Redis
) -> None:
    """Feast's two ways, and the gateway's."""
    features = [FEATURE] * len(KEYS)
    client = connect_async(settings)
    assert isinstance(client, redis.asyncio.Redis)
    assert read_timed_texts(stored, features, KEYS) == EXPECTED
    assert await read_timed_texts_async(client, features, KEYS) == EXPECTED
    reads = PipelinedReads(client)
    texts, expiries = await read_expiring_texts(reads, KEYS)
    timestamps = event_timestamps(FEATURE, expiries)
    assert list(zip(texts[:-1], timestamps[:-1], strict=True)) == EXPECTED[:-1]
    assert (texts[-1], timestamps[-1]) == (None, None)
    assert await read_expiring_texts(reads, []) == ([], [])
    await reads.close()
    await client.aclose()


async def test_what_never_expires_has_no_timestamp(settings: Settings, valkey: redis.Redis) -> None:
    """So it is no value."""
    valkey.set(KEYS[0], "1")
    client = connect_async(settings)
    assert isinstance(client, redis.asyncio.Redis)
    reads = PipelinedReads(client)
    texts, expiries = await read_expiring_texts(reads, KEYS[:1])
    assert (texts, event_timestamps(FEATURE, expiries)) == ([None], [None])
    await reads.close()
    await client.aclose()


async def test_a_redis_that_refuses_scripts_is_unavailable(
    settings: Settings, valkey: redis.Redis
) -> None:
    """The driver's error becomes ours, once for all parts of the question."""
    client = connect_async(settings)
    assert isinstance(client, redis.asyncio.Redis)
    reads = PipelinedReads(client)
    valkey.execute_command("ACL SETUSER default -eval")
    try:
        with pytest.raises(StoreUnavailable):
            await read_expiring_texts(reads, KEYS)
    finally:
        valkey.execute_command("ACL SETUSER default +eval")
    assert await read_expiring_texts(reads, KEYS[:1]) == ([None], [-2])
    await reads.close()
    await client.aclose()
