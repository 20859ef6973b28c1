"""The gateway answers over HTTP what the stores hold."""

import dataclasses
import re

import httpx
import pytest
import redis

from feature_repo.registry.catalog import read_catalog
from foundation.settings import Settings
from serving_gateway import FeatureStore, open_feature_store
from tests.integration.serving_gateway.conftest import (
    BATCH,
    gateway_on,
    read_batch,
    read_metrics,
    store_value,
)

AFFINITY = '{"BOOKS":0.25,"Spiel & Spaß":1}'


def test_a_batch_is_spliced_from_stored_values(gateway: httpx.Client, valkey: redis.Redis) -> None:
    """Values, defaults and counts of every feature for every entity."""
    store_value(valkey, "popularity_score", "p1", "0.87")
    store_value(valkey, "popularity_score", "a:b%", "0.5")
    store_value(valkey, "user_category_affinity", "p1", AFFINITY)
    answer = read_batch(
        gateway,
        entity_ids=["p1", "a:b%", "p1"],
        feature_names=["popularity_score", "user_category_affinity", "product_freshness_score"],
    )
    assert answer == {
        "values": {
            "p1": {
                "popularity_score": 0.87,
                "user_category_affinity": {"BOOKS": 0.25, "Spiel & Spaß": 1},
                "product_freshness_score": None,
            },
            "a:b%": {
                "popularity_score": 0.5,
                "user_category_affinity": {},
                "product_freshness_score": None,
            },
        },
        "versions": {
            "popularity_score": "1.1.0",
            "user_category_affinity": "1.0.0",
            "product_freshness_score": "1.0.0",
        },
        "counts": {"online": 3, "default": 3},
        "stale": 0,
        "degraded": False,
        "experiments": {},
    }


def test_a_batch_is_one_command(gateway: httpx.Client, valkey: redis.Redis) -> None:
    """However many values are asked for, Redis gets one MGET."""
    valkey.config_resetstat()
    read_batch(
        gateway,
        entity_ids=[f"p{n}" for n in range(100)],
        feature_names=["popularity_score", "product_freshness_score"],
    )
    commands = valkey.info("commandstats")
    assert commands["cmdstat_mget"]["calls"] == 1
    assert "cmdstat_get" not in commands


@pytest.mark.parametrize(
    ("identifier", "path"), [("p1", "p1"), ("a/b", "a/b"), ("50%:é", "50%25%3A%C3%A9")]
)
def test_a_single_value_tells_where_it_came_from(
    gateway: httpx.Client, valkey: redis.Redis, identifier: str, path: str
) -> None:
    """From Redis if it is there; else the default."""
    url = f"/v1/features/popularity_score/values/{path}"
    expected = {
        "entity_id": identifier,
        "feature_name": "popularity_score",
        "version": "1.1.0",
        "stale": False,
        "degraded": False,
    }
    assert gateway.get(url).json() == {**expected, "value": 0.1, "served_from": "default"}
    store_value(valkey, "popularity_score", identifier, "0.87")
    assert gateway.get(url).json() == {**expected, "value": 0.87, "served_from": "online"}
    assert gateway.get(url, params={"version": "1.1.0"}).json()["value"] == 0.87


def test_the_catalog_is_served(gateway: httpx.Client) -> None:
    """All versions with their metadata, the feature services, and which version is served."""
    listed = gateway.get("/v1/features").json()
    catalog = read_catalog()
    assert listed == {
        "features": [feature.model_dump(mode="json") for feature in catalog.features],
        "services": catalog.services,
    }
    shown = gateway.get("/v1/features/popularity_score").json()
    assert shown["served_version"] == "1.1.0"
    assert [version["version"] for version in shown["versions"]] == [
        "1.0.0",
        "1.1.0",
        "2.0.0",
    ]


def test_requests_have_ids(gateway: httpx.Client) -> None:
    """A sound id is echoed; one that could forge a log line is replaced."""
    header = "X-Request-ID"
    assert gateway.get("/health", headers={header: "abc-1"}).headers[header] == "abc-1"
    replaced = gateway.get("/v2", headers={header: "a b"}).headers[header]
    assert len(replaced) == 32


def test_metrics_count_what_was_served(gateway: httpx.Client, valkey: redis.Redis) -> None:
    """Values by tier, requests by route; no entity id anywhere."""
    store_value(valkey, "popularity_score", "secret-id", "0.87")
    before = read_metrics(gateway)
    read_batch(gateway, entity_ids=["secret-id", "other"], feature_names=["popularity_score"])
    after = read_metrics(gateway)
    served = (
        'feature_requests_total{{feature_name="popularity_score",served_from="{}",version="1.1.0"}}'
    )
    request = f'http_requests_total{{method="POST",route="{BATCH}",status="200"}}'
    for name in (served.format("online"), served.format("default"), request):
        assert after[name] - before.get(name, 0.0) == 1.0
    assert (
        after[
            'feature_retrieval_duration_seconds_count{feature_name="popularity_score",tier="online"}'
        ]
        > 0
    )
    assert "feature_catalog_age_seconds" in after
    assert not any("secret-id" in name for name in after)


def test_the_documentation_needs_nothing_from_elsewhere(gateway: httpx.Client) -> None:
    """The page under /docs, what it loads, and the document that it shows."""
    page = gateway.get("/docs").text
    addresses = re.findall(r"(?:src|href)=\"([^\"]+)\"|url: '([^']+)'", page)
    assert len(addresses) == 4
    for address in map("".join, addresses):
        assert address.startswith("/")
        assert gateway.get(address).status_code == 200
    assert "https://" not in page


def test_ready_and_healthy(gateway: httpx.Client) -> None:
    """With catalog and Redis the gateway is ready."""
    assert gateway.get("/health").json() == {"status": "ok"}
    assert gateway.get("/ready").json() == {"ready": True, "online": True}


async def test_the_interface_of_the_specification(applied: Settings, valkey: redis.Redis) -> None:
    """The class answers like the routes, with Python values, and without HTTP."""
    store_value(valkey, "popularity_score", "p1", "0.87")
    async with open_feature_store(applied) as store:
        assert isinstance(store, FeatureStore)
        assert await store.get_feature("p1", "popularity_score") == 0.87
        assert await store.get_feature("p1", "product_freshness_score", "1.0.0") is None
        assert await store.batch_get_features(["p1", "p2"], ["popularity_score"]) == {
            "p1": {"popularity_score": 0.87},
            "p2": {"popularity_score": 0.1},
        }
        assert await store.get_feature_version("popularity_score") == "1.1.0"
        assert list(await store.list_features()) == list(read_catalog().features)


def test_a_feature_of_newer_code_is_served_from_the_stores(
    settings: Settings, applied: Settings, valkey: redis.Redis
) -> None:
    """A gateway that lacks its computation starts, and answers what the stores have."""
    assert applied
    deployed = read_catalog()
    features = [
        each.model_copy(update={"computation": "newer"})
        if each.feature_name == "popularity_score"
        else each
        for each in deployed.features
    ]
    store_value(valkey, "popularity_score", "p1", "0.5")
    with gateway_on(settings, lambda: dataclasses.replace(deployed, features=features)) as gateway:
        answer = read_batch(gateway, entity_ids=["p1", "p2"], feature_names=["popularity_score"])
    assert answer["values"]["p1"] == {"popularity_score": 0.5}
    assert answer["counts"] == {"online": 1, "default": 1}
