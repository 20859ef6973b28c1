"""Both clients read from a real gateway."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis

import serving_gateway
from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.registry.metadata import Status
from foundation import clock
from foundation.settings import Settings
from serving_gateway.auth.scopes import AccessScope
from serving_gateway.client import (
    AsyncFeatureStoreClient,
    ClientSettings,
    FeatureStoreClient,
    MalformedRequest,
    NotAuthenticated,
    UnknownName,
    VersionNotServed,
)
from tests.integration.serving_gateway.auth.conftest import store_new_key
from tests.integration.serving_gateway.conftest import gateway_on, store_value

POPULARITY = "popularity_score"
IDS = [f"p{number}" for number in range(7)]


@pytest.fixture
def store(gateway: httpx.Client, valkey: redis.Redis) -> Iterator[FeatureStoreClient]:
    """Yield a client, patient but for batches, of a gateway that knows popularities."""
    for number, entity_id in enumerate(IDS):
        store_value(valkey, POPULARITY, entity_id, str(number / 8))
    settings = ClientSettings(budget_seconds=30.0, max_entities=3)
    with FeatureStoreClient(str(gateway.base_url), settings=settings) as store:
        yield store


def test_the_methods_of_the_specification(store: FeatureStoreClient) -> None:
    """Over HTTP they give what they give in Python."""
    assert store.get_feature("p4", POPULARITY) == 0.5
    assert store.get_feature("a/b?c", POPULARITY, "^1") == 0.1
    values = store.batch_get_features([*IDS, "p1"], [POPULARITY], user_id="u1")
    assert values == {entity: {POPULARITY: n / 8} for n, entity in enumerate(IDS)}
    assert store.get_feature_version(POPULARITY) == "1.1.0"
    assert {feature["feature_name"] for feature in store.list_features()} > {POPULARITY}


def test_a_large_batch_comes_in_parts(store: FeatureStoreClient, valkey: redis.Redis) -> None:
    """Seven entities, three at a time: three reads of Redis, one answer."""
    valkey.config_resetstat()
    answer = store.read_batch(IDS, [POPULARITY], versions={POPULARITY: "1.1.0"}, metadata=True)
    assert answer.summary.counts == {"online": 7}
    assert answer.origins is not None
    assert {row[POPULARITY].served_from for row in answer.origins.values()} == {"online"}
    assert answer.summary.versions == {POPULARITY: "1.1.0"}
    assert valkey.info("commandstats")["cmdstat_mget"]["calls"] == 3


def test_a_service_is_read_row_by_row(store: FeatureStoreClient) -> None:
    """Products keep their order across parts."""
    answer = store.read_service("search_v1", product_ids=IDS, query="milk", metadata=True)
    assert [row["product_id"] for row in answer.rows] == IDS
    assert answer.origins is not None
    assert len(answer.origins) == len(IDS)
    rows = store.get_service_features("search_v1", product_ids=["p1"], user_id="u1")
    assert rows[0]["search_keyword_score"] == 0.0


def test_values_of_what_has_changed_are_removed(
    store: FeatureStoreClient, gateway: httpx.Client, valkey: redis.Redis
) -> None:
    """In parts, too; of one feature, or of all; waiting or awaiting."""
    store.invalidate(IDS[:4], feature_name=POPULARITY, version="1.0.0")
    assert valkey.dbsize() == len(IDS) + 1  # the count of invalidations
    store.invalidate(IDS[:4], feature_name=POPULARITY)

    async def invalidate() -> None:
        async with AsyncFeatureStoreClient(str(gateway.base_url)) as awaiting:
            await awaiting.invalidate(IDS[4:])

    assert set(store.read_batch(IDS, [POPULARITY]).summary.counts) == {"online", "default"}
    asyncio.run(invalidate())
    assert store.read_batch(IDS, [POPULARITY]).summary.counts == {"default": len(IDS)}


def test_refusals_say_what_to_change(store: FeatureStoreClient) -> None:
    """As the gateway says it."""
    with pytest.raises(UnknownName, match=POPULARITY):
        store.get_feature("p1", "popularity")
    with pytest.raises(UnknownName, match=r"1\.1\.0"):
        store.get_feature("p1", POPULARITY, "7.0.0")
    with pytest.raises(VersionNotServed):
        store.get_feature("p1", POPULARITY, "^2")
    with pytest.raises(MalformedRequest, match="entity_ids"):
        store.batch_get_features([], [POPULARITY])


async def test_parts_are_asked_for_at_one_time(gateway: httpx.Client, valkey: redis.Redis) -> None:
    """The client for event loops gives the same."""
    for number, entity_id in enumerate(IDS):
        store_value(valkey, POPULARITY, entity_id, str(number / 8))
    settings = ClientSettings(budget_seconds=30.0, max_entities=2)
    async with AsyncFeatureStoreClient(str(gateway.base_url), settings=settings) as store:
        batch, rows, value, version, features = await asyncio.gather(
            store.batch_get_features(IDS, [POPULARITY]),
            store.get_service_features("search_v1", product_ids=IDS),
            store.get_feature("p4", POPULARITY),
            store.get_feature_version(POPULARITY),
            store.list_features(),
        )
    assert batch == {entity: {POPULARITY: n / 8} for n, entity in enumerate(IDS)}
    assert [row["product_id"] for row in rows] == IDS
    assert (value, version) == (0.5, "1.1.0")
    assert features


def test_a_key_opens_the_gateway(applied: Settings) -> None:
    """Without one, or with a wrong one, it stays closed."""
    key = store_new_key(applied, AccessScope.READ)
    with gateway_on(applied, authentication="on") as gateway:
        url = str(gateway.base_url)
        with FeatureStoreClient(
            url, settings=ClientSettings(api_key=key, budget_seconds=30.0)
        ) as store:
            assert store.list_features()
        for wrong in (None, "fs_0_0"):
            settings = ClientSettings(api_key=wrong, budget_seconds=30.0)
            with (
                FeatureStoreClient(url, settings=settings) as store,
                pytest.raises(NotAuthenticated),
            ):
                store.list_features()


def test_deprecated_versions_are_warned_of_once(
    applied: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """With the date when they go."""

    def catalog() -> Catalog:
        changes: dict[str, Any] = {"status": Status.DEPRECATED, "deprecated_at": clock.now()}
        features = [
            f.model_copy(update={**changes, "sunset_at": clock.now()})
            if f.reference == "popularity_score==1.0.0"
            else f
            for f in read_catalog().features
        ]
        return Catalog(features, {})

    settings = ClientSettings(budget_seconds=30.0)
    with (
        gateway_on(applied, catalog) as gateway,
        FeatureStoreClient(str(gateway.base_url), settings=settings) as store,
    ):
        for _ in range(2):
            store.get_feature("p1", POPULARITY, "1.0.0")
            store.batch_get_features(["p1"], [POPULARITY], "1.0.0")
        response = gateway.get(f"/v1/features/{POPULARITY}/values/p1?version=1.0.0")
    [record] = caplog.records
    assert "popularity_score==1.0.0" in record.getMessage()
    assert response.headers["Deprecation"].startswith("@")
    assert response.headers["Sunset"].endswith("GMT")


def test_the_interface_is_the_packages() -> None:
    """`serving_gateway.FeatureStore` is there without importing it for the client."""
    assert serving_gateway.FeatureStore.__name__ == "FeatureStore"
    with pytest.raises(AttributeError, match="nothing"):
        _ = serving_gateway.nothing
