"""A store that is down, slow or busy costs values or news, never answers."""

import asyncio
import os
import signal

import httpx
import pytest
import redis

from feature_repo.registry.catalog import Catalog, read_catalog
from foundation.errors import StoreUnavailable
from foundation.settings import Settings
from serving_gateway.instrumentation import Instruments
from serving_gateway.opening import open_resources
from tests.integration.serving_gateway.conftest import (
    gateway_on,
    read_batch,
    read_metrics,
    store_value,
)


def test_without_redis_defaults_are_served(settings: Settings, applied: Settings) -> None:
    """A dead Redis costs values, not answers; readiness tells."""
    assert applied
    gone = Settings.model_validate({**settings.model_dump(), "redis_url": "redis://127.0.0.1:1"})
    with gateway_on(gone) as client:
        answer = read_batch(client, entity_ids=["p1"], feature_names=["popularity_score"])
        assert answer["values"] == {"p1": {"popularity_score": 0.1}}
        assert answer["degraded"]
        assert answer["counts"] == {"default": 1}
        assert client.get("/ready").json() == {"ready": True, "online": False}
        assert read_metrics(client)['feature_tier_unavailable_total{part="",tier="online"}'] == 1.0


def test_a_frozen_redis_is_given_up_and_found_again(applied: Settings, valkey: redis.Redis) -> None:
    """While Redis hangs, defaults come within its time limit; then its values come back."""
    store_value(valkey, "popularity_score", "p1", "0.87")
    asked = {"entity_ids": ["p1"], "feature_names": ["popularity_score"]}
    process = valkey.info("server")["process_id"]
    with gateway_on(applied.model_copy(update={"redis_timeout_seconds": 0.5})) as gateway:
        os.kill(process, signal.SIGSTOP)
        try:
            frozen = read_batch(gateway, **asked)
        finally:
            os.kill(process, signal.SIGCONT)
        assert (frozen["degraded"], frozen["values"]["p1"]) == (True, {"popularity_score": 0.1})
        thawed = read_batch(gateway, **asked)
        assert (thawed["degraded"], thawed["values"]["p1"]) == (False, {"popularity_score": 0.87})


def test_without_a_catalog_the_gateway_waits_for_it(applied: Settings) -> None:
    """It starts while the registry is down, says so, and is ready once the registry is up."""
    answers = iter([StoreUnavailable("the registry is down")])

    def reader() -> Catalog:
        for error in answers:
            raise error
        return read_catalog()

    settings = applied.model_copy(update={"catalog_refresh_seconds": 0.2})
    with gateway_on(settings, reader) as client:
        response = client.get("/v1/features")
        assert response.status_code == 503
        assert "not been read" in response.json()["detail"]
        assert client.get("/ready").status_code == 503
        _wait_until_ready(client)
        assert client.get("/v1/features").status_code == 200


def test_a_lost_registry_leaves_the_catalog(applied: Settings) -> None:
    """What was read once is served on when the registry goes down."""
    catalogs = iter([read_catalog()])

    def reader() -> Catalog:
        for catalog in catalogs:
            return catalog
        raise StoreUnavailable("the registry is down")

    settings = applied.model_copy(update={"catalog_refresh_seconds": 0.05})
    with gateway_on(settings, reader) as client:
        _wait_until_age(client, seconds=0.3)
        assert client.get("/v1/features/popularity_score").status_code == 200


async def test_more_requests_than_connections_wait_for_their_turn(
    applied: Settings, valkey: redis.Redis
) -> None:
    """A busy Redis client is not a broken one: nobody gets a default for a value that is there."""
    store_value(valkey, "popularity_score", "p1", "0.87")
    settings = Settings.model_validate(
        {**applied.model_dump(), "redis_max_connections": 2, "redis_timeout_seconds": 10.0}
    )
    async with open_resources(settings, Instruments(), read_catalog) as resources:
        reads = (resources.store.read(["p1"], ["popularity_score"]) for _ in range(50))
        answers, is_ready = await asyncio.gather(asyncio.gather(*reads), resources.online.answers())
    assert is_ready
    assert [answer.reading.counts for answer in answers] == [{"online": 1}] * 50


def _wait_until_ready(client: httpx.Client) -> None:
    for _ in range(1_000):
        if client.get("/ready").status_code == 200:
            return
    pytest.fail("the gateway did not become ready")


def _wait_until_age(client: httpx.Client, *, seconds: float) -> None:
    for _ in range(1_000):
        if read_metrics(client)["feature_catalog_age_seconds"] > seconds:
            return
    pytest.fail("the catalog did not age")
