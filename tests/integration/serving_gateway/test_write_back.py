"""What is found below Redis goes back to the stores, and spoils nothing there."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pytest
import redis
from structlog.testing import capture_logs

from feature_repo.registry.gather import gather_features
from feature_repo.stores.keys import redis_keys
from feature_repo.stores.offline_values import write_values as write_offline
from feature_repo.stores.redis_values import write_values as write_online
from foundation import clock
from foundation.postgres import Connection, connection_pool
from foundation.settings import Settings
from serving_gateway.columns import Column, Found
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.write_back import WriteBack

[FEATURE] = [f for f in gather_features() if f.feature_name == "product_freshness_score"]
[KEY] = redis_keys(FEATURE.feature_name, FEATURE.version, ["p1"])


def _rows(text: str, timestamp: datetime) -> pa.Table:
    return pa.table(
        {
            "entity_id": ["p1"],
            "feature_value": [text],
            "timestamp": pa.array([timestamp], pa.timestamp("us", "UTC")),
        }
    )


class Stage(NamedTuple):
    """A write-back, and what it tells."""

    write_back: WriteBack
    instruments: Instruments
    digest: LogDigest


@pytest.fixture
async def stage(settings: Settings) -> AsyncIterator[Stage]:
    """Yield a write-back that is running."""
    instruments, digest = Instruments(), LogDigest()
    async with connection_pool(settings) as pool:
        write_back = WriteBack(settings, pool, instruments, digest)
        running = asyncio.create_task(write_back.run())
        yield Stage(write_back, instruments, digest)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        write_back.close()


def _offer(write_back: WriteBack, text: str, timestamp: datetime) -> None:
    found = Found([text.encode()], [timestamp])
    write_back.offer_fresh([Column(FEATURE, ["p1"])], [found], now=clock.now())


async def test_a_correction_is_not_undone(
    stage: Stage, valkey: redis.Redis, postgres: Connection
) -> None:
    """What was read before it, and comes back after it, is as old; and wrong."""
    now = clock.now()
    write_offline(postgres, FEATURE, _rows("0.9", now), as_of=now, append_history=False)
    postgres.commit()
    write_online(valkey, FEATURE, _rows("0.9", now), now=now)
    _offer(stage.write_back, "0.1", now)
    stage.write_back.offer_computed(FEATURE, _rows("0.1", now))
    await stage.write_back.finish()
    assert valkey.get(KEY) == b"0.9"
    assert postgres.execute("SELECT feature_value FROM feature_latest").fetchall() == [(0.9,)]


async def test_a_newer_value_replaces_an_older_one(
    stage: Stage, valkey: redis.Redis, postgres: Connection
) -> None:
    """Also a newer computed one, in both stores."""
    now = clock.now()
    _offer(stage.write_back, "0.1", now - timedelta(minutes=1))
    await stage.write_back.finish()
    assert valkey.get(KEY) == b"0.1"
    for text, timestamp in [("0.2", now - timedelta(seconds=1)), ("0.3", now)]:
        stage.write_back.offer_computed(FEATURE, _rows(text, timestamp))
    await stage.write_back.finish()
    assert valkey.get(KEY) == b"0.3"
    assert postgres.execute("SELECT feature_value FROM feature_latest").fetchall() == [(0.3,)]


async def test_what_cannot_be_written_does_not_stop_the_rest(
    stage: Stage, valkey: redis.Redis
) -> None:
    """It is counted, and logged with what went wrong."""
    _offer(stage.write_back, json.dumps("no number"), clock.now())
    _offer(stage.write_back, "0.5", clock.now())
    await stage.write_back.finish()
    assert valkey.get(KEY) == b"0.5"
    for outcome in ("failed", "written"):
        labels = {"store": "redis", "outcome": outcome}
        values = stage.instruments.registry.get_sample_value(
            "feature_write_back_values_total", labels
        )
        assert values == 1
    with capture_logs() as logged:
        stage.digest.flush()
    assert {entry["event"] for entry in logged} == {"write_back_failed", "write_back_broken"}
