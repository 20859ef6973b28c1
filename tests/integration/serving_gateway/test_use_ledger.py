"""Which versions were served is kept in PostgreSQL."""

import asyncio

import pytest

from feature_repo.registry.gather import gather_features
from feature_repo.stores.feature_use import requests_since
from foundation import clock
from foundation.postgres import Connection, connect, connection_pool
from foundation.settings import Settings
from serving_gateway.columns import Column
from serving_gateway.log_digest import LogDigest
from serving_gateway.reading import Reading
from serving_gateway.use_ledger import UseLedger
from tests.integration.serving_gateway.conftest import SERVED, gateway_on, read_batch

FEATURES = {feature.reference: feature for feature in gather_features()}


@pytest.mark.usefixtures("valkey")
def test_requests_are_counted_by_version(applied: Settings, postgres: Connection) -> None:
    """At the latest when the gateway stops."""
    with gateway_on(applied) as client:
        for _ in range(3):
            read_batch(client, entity_ids=["a", "b"], feature_names=["popularity_score"])
        read_batch(client, entity_ids=["a"], feature_names=["popularity_score"], version="1.0.0")
    today = clock.now().date()
    for version, requests in ((SERVED["popularity_score"], 3), ("1.0.0", 1), ("2.0.0", 0)):
        feature = FEATURES[f"popularity_score=={version}"]
        assert requests_since(postgres, today).get(feature.reference, 0) == requests


async def test_counts_survive_a_write_that_is_cut_off(settings: Settings) -> None:
    """The gateway ends while PostgreSQL keeps it waiting, and flushes once more."""
    feature = FEATURES["popularity_score==1.0.0"]
    reading = Reading.of([Column(feature, ["a"])])
    async with connection_pool(settings) as pool:
        ledger = UseLedger(pool, LogDigest())
        ledger.offer(reading)
        with connect(settings) as connection:
            connection.execute("LOCK TABLE feature_use")
            flush = asyncio.create_task(ledger.flush())
            while not _waits(connection):  # noqa: ASYNC110 - PostgreSQL sets no event
                await asyncio.sleep(0.01)
            flush.cancel()
            with pytest.raises(asyncio.CancelledError):
                await flush
        await ledger.flush()
    with connect(settings) as connection:
        assert requests_since(connection, clock.now().date()) == {feature.reference: 1}


def _waits(connection: Connection) -> bool:
    row = connection.execute("SELECT exists (SELECT FROM pg_locks WHERE NOT granted)").fetchone()
    return bool(row and row[0])
