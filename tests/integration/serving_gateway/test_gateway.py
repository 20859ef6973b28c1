"""The gateway answers over HTTP what the stores hold, and says what is wrong otherwise."""

import os
import signal
from typing import Any

import httpx
import pytest
import redis
from fastapi import FastAPI

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.stores.keys import entity_id, redis_keys
from foundation.errors import StoreUnavailable
from foundation.settings import Settings
from serving_gateway.feature_store import FeatureStore
from serving_gateway.instrumentation import Instruments
from serving_gateway.resources import Resources, running
from tests.integration.serving_gateway.conftest import gateway_on

BATCH = "/v1/features/batch"
AFFINITY = '{"BOOKS":0.25,"Spiel & Spaß":1}'


def _store(valkey: redis.Redis, feature_name: str, identifier: str, text: str) -> None:
    [key] = redis_keys(feature_name, "1.0.0", [entity_id([identifier])])
    valkey.set(key, text)


def _batch(client: httpx.Client, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - what tests send
    response = client.post(BATCH, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_a_batch_is_spliced_from_stored_values(gateway: httpx.Client, valkey: redis.Redis) -> None:
    """Values, defaults and counts of every feature for every entity."""
    _store(valkey, "popularity_score", "p1", "0.87")
    _store(valkey, "popularity_score", "a:b%", "0.5")
    _store(valkey, "user_category_affinity", "p1", AFFINITY)
    answer = _batch(
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
            "popularity_score": "1.0.0",
            "user_category_affinity": "1.0.0",
            "product_freshness_score": "1.0.0",
        },
        "counts": {"online": 3, "default": 3},
        "degraded": False,
    }


def test_a_batch_is_one_command(gateway: httpx.Client, valkey: redis.Redis) -> None:
    """However many values are asked for, Redis gets one MGET."""
    valkey.config_resetstat()
    _batch(
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
        "version": "1.0.0",
        "degraded": False,
    }
    assert gateway.get(url).json() == {**expected, "value": 0.1, "served_from": "default"}
    _store(valkey, "popularity_score", identifier, "0.87")
    assert gateway.get(url).json() == {**expected, "value": 0.87, "served_from": "online"}
    assert gateway.get(url, params={"version": "1.0.0"}).json()["value"] == 0.87


def test_the_catalog_is_served(gateway: httpx.Client) -> None:
    """All versions with their metadata, the feature services, and which version is served."""
    listed = gateway.get("/v1/features").json()
    catalog = read_catalog()
    assert listed == {
        "features": [feature.model_dump(mode="json") for feature in catalog.features],
        "services": catalog.services,
    }
    shown = gateway.get("/v1/features/popularity_score").json()
    assert shown["served_version"] == "1.0.0"
    assert [version["version"] for version in shown["versions"]] == ["1.0.0"]


@pytest.mark.parametrize(
    ("path", "status", "mentioned"),
    [
        ("/v1/features/popularity", 404, "popularity_score"),
        ("/v1/features/popularity/values/p1", 404, "popularity_score"),
        ("/v1/features/popularity_score/values/p1?version=9.0.0", 404, "1.0.0 (active)"),
        ("/v1/features/popularity_score/values/p1?version=new", 422, "version"),
        ("/v2", 404, "/docs"),
        ("/v1/features/batch/", 404, "batch"),
    ],
)
def test_a_wrong_request_is_told_what_to_change(
    gateway: httpx.Client, path: str, status: int, mentioned: str
) -> None:
    """A problem document with the status, and a hint of what exists."""
    response = gateway.get(path, follow_redirects=True)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert mentioned in problem["detail"] + problem["hint"]


@pytest.mark.parametrize(
    ("body", "status", "mentioned"),
    [
        ('{"entity_ids": ["p1"]', 422, "JSON"),
        ("[]", 422, "body"),
        ('{"entity_ids": ["p1"], "feature_names": []}', 422, "feature_names"),
        ('{"entity_ids": [], "feature_names": ["popularity_score"]}', 422, "entity_ids"),
        ('{"entity_ids": [7], "feature_names": ["popularity_score"]}', 422, "entity_ids.0"),
        ('{"entity_ids": [""], "feature_names": ["popularity_score"]}', 422, "entity_ids.0"),
        ('{"entity_ids": ["p1"], "feature_names": ["popularity"]}', 404, "popularity_score"),
        ('{"entity_ids": ["p1"], "features": ["popularity_score"]}', 422, "features"),
        (
            '{"entity_ids": ["p1"], "feature_names": ["popularity_score"], "version": "2.0.0"}',
            404,
            "1.0.0 (active)",
        ),
        ("{" + '"a":{' * 5_000, 422, "JSON"),
        ('{"entity_ids": ["\\ud800"], "feature_names": ["popularity_score"]}', 422, "JSON"),
    ],
)
def test_a_wrong_batch_is_told_what_to_change(
    gateway: httpx.Client, body: str, status: int, mentioned: str
) -> None:
    """The problem names the field, or what exists."""
    response = gateway.post(BATCH, content=body)
    assert response.status_code == status, response.text
    problem = response.json()
    assert mentioned in problem["detail"] + problem["hint"]


@pytest.mark.parametrize(
    ("entities", "features", "mentioned"),
    [(1_001, 1, "1000 entities"), (1, 101, "100 features")],
)
def test_too_large_a_batch_is_refused(
    gateway: httpx.Client, entities: int, features: int, mentioned: str
) -> None:
    """Beyond the limits the answer is 413, and says what is allowed."""
    response = gateway.post(
        BATCH,
        json={
            "entity_ids": [f"p{n}" for n in range(entities)],
            "feature_names": [f"f{n}" for n in range(features)],
        },
    )
    assert response.status_code == 413
    assert mentioned in response.json()["hint"]


def test_the_largest_batch_is_answered(gateway: httpx.Client) -> None:
    """Exactly at the limit is allowed."""
    answer = _batch(
        gateway, entity_ids=[f"p{n}" for n in range(1_000)], feature_names=["popularity_score"]
    )
    assert len(answer["values"]) == 1_000


@pytest.mark.parametrize("chunked", [False, True])
def test_too_long_a_body_is_refused(gateway: httpx.Client, *, chunked: bool) -> None:
    """Whether it tells its length or not, a body beyond the limit is not read to its end."""
    body = b" " * 1_048_577
    content = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    response = gateway.post(BATCH, content=content if chunked else body)
    assert response.status_code == 413
    assert "1048576 bytes" in response.json()["detail"]


def test_requests_have_ids(gateway: httpx.Client) -> None:
    """A sound id is echoed; one that could forge a log line is replaced."""
    header = "X-Request-ID"
    assert gateway.get("/health", headers={header: "abc-1"}).headers[header] == "abc-1"
    replaced = gateway.get("/v2", headers={header: "a b"}).headers[header]
    assert len(replaced) == 32


def test_metrics_count_what_was_served(gateway: httpx.Client, valkey: redis.Redis) -> None:
    """Values by tier, requests by route; no entity id anywhere."""
    _store(valkey, "popularity_score", "secret-id", "0.87")
    before = _metrics(gateway)
    _batch(gateway, entity_ids=["secret-id", "other"], feature_names=["popularity_score"])
    after = _metrics(gateway)
    served = (
        'feature_requests_total{{feature_name="popularity_score",served_from="{}",version="1.0.0"}}'
    )
    request = f'http_requests_total{{method="POST",route="{BATCH}",status="200"}}'
    for name in (served.format("online"), served.format("default"), request):
        assert after[name] - before.get(name, 0.0) == 1.0
    assert after['feature_retrieval_duration_seconds_count{tier="online"}'] > 0
    assert "feature_catalog_age_seconds" in after
    assert not any("secret-id" in name for name in after)


def test_ready_and_healthy(gateway: httpx.Client) -> None:
    """With catalog and Redis the gateway is ready."""
    assert gateway.get("/health").json() == {"status": "ok"}
    assert gateway.get("/ready").json() == {"ready": True, "online": True}


def test_without_redis_defaults_are_served(applied: Settings) -> None:
    """A dead Redis costs values, not answers; readiness tells."""
    settings = Settings.model_validate({**applied.model_dump(), "redis_url": "redis://127.0.0.1:1"})
    with gateway_on(settings) as client:
        answer = _batch(client, entity_ids=["p1"], feature_names=["popularity_score"])
        assert answer["values"] == {"p1": {"popularity_score": 0.1}}
        assert answer["degraded"]
        assert answer["counts"] == {"default": 1}
        assert client.get("/ready").json() == {"ready": True, "online": False}
        assert _metrics(client)['feature_tier_unavailable_total{tier="online"}'] == 1.0


def test_a_frozen_redis_is_given_up_and_found_again(
    gateway: httpx.Client, valkey: redis.Redis
) -> None:
    """While Redis hangs, defaults come within its time limit; then its values come back."""
    _store(valkey, "popularity_score", "p1", "0.87")
    asked = {"entity_ids": ["p1"], "feature_names": ["popularity_score"]}
    process = valkey.info("server")["process_id"]
    os.kill(process, signal.SIGSTOP)
    try:
        frozen = _batch(gateway, **asked)
    finally:
        os.kill(process, signal.SIGCONT)
    assert (frozen["degraded"], frozen["values"]["p1"]) == (True, {"popularity_score": 0.1})
    thawed = _batch(gateway, **asked)
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


async def test_the_interface_of_the_specification(applied: Settings, valkey: redis.Redis) -> None:
    """The class answers like the routes, with Python values."""
    _store(valkey, "popularity_score", "p1", "0.87")
    app = FastAPI()
    async with running(app, applied, Instruments(), read_catalog):
        resources: Resources = app.state.resources
        store: FeatureStore = resources.store
        assert await store.get_feature("p1", "popularity_score") == 0.87
        assert await store.get_feature("p1", "product_freshness_score", "1.0.0") is None
        assert await store.batch_get_features(["p1", "p2"], ["popularity_score"]) == {
            "p1": {"popularity_score": 0.87},
            "p2": {"popularity_score": 0.1},
        }
        assert await store.get_feature_version("popularity_score") == "1.0.0"
        assert list(await store.list_features()) == list(read_catalog().features)


def _metrics(client: httpx.Client) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def _wait_until_ready(client: httpx.Client) -> None:
    for _ in range(1_000):
        if client.get("/ready").status_code == 200:
            return
    pytest.fail("the gateway did not become ready")


def _wait_until_age(client: httpx.Client, *, seconds: float) -> None:
    for _ in range(1_000):
        if _metrics(client)["feature_catalog_age_seconds"] > seconds:
            return
    pytest.fail("the catalog did not age")
