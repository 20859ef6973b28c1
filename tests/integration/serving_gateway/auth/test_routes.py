"""No route answers without a good credential, but the two that say how the gateway is."""

from collections.abc import Mapping

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from feature_repo.registry.catalog import Catalog
from foundation.settings import Settings
from serving_gateway.app import create_app
from serving_gateway.auth.access import OPEN
from tests.integration.serving_gateway.auth.conftest import basic, bearer
from tests.integration.serving_gateway.conftest import BATCH, read_metrics

_APP = create_app(Settings(), catalog_reader=lambda: Catalog(features=[], services={}))
ROUTES = sorted(
    (method, str(route.path))
    for route in iter_route_contexts(_APP.routes)
    for method in route.methods or ()
)
OPEN_ROUTES = {("GET", "/health"), ("GET", "/ready")}
CLOSED_ROUTES = [route for route in ROUTES if route not in OPEN_ROUTES]
_ASKED = b'{"entity_ids": ["p1"], "feature_names": ["popularity_score"]}'
_BODIES = {
    "/v1/feature-services/{service_name}": b'{"product_ids": ["p1"]}',
    "/v1/cache/invalidate": b'{"entity_ids": ["p1"]}',
    "/get-online-features": b'{"entities": {"user_id": ["u"], "product_id": ["p"]},'
    b' "feature_service": "recommendation_v1"}',
}
_PARAMETERS = {
    "{feature_name}": "popularity_score",
    "{entity_id:path}": "p1",
    "{service_name}": "ranking_v1",
    "{node}": "ranking_v1",
}


def _call(
    client: httpx.Client, method: str, path: str, headers: Mapping[str, str]
) -> httpx.Response:
    url = path
    for parameter, value in _PARAMETERS.items():
        url = url.replace(parameter, value)
    assert "{" not in url, "give this parameter a value"
    return client.request(
        method,
        url,
        headers={**headers, "content-type": "application/json"},
        content=_BODIES.get(path, _ASKED),
    )


def test_only_health_and_readiness_are_open(guarded_gateway: httpx.Client) -> None:
    """These two, and they answer without a credential."""
    declared = {
        (method, str(route.path))
        for route in iter_route_contexts(_APP.routes)
        if isinstance(route.original_route, APIRoute)
        and (route.original_route.openapi_extra or {}).get("security") == OPEN["security"]
        for method in route.methods or ()
    }
    assert declared == OPEN_ROUTES
    for method, path in OPEN_ROUTES:
        assert _call(guarded_gateway, method, path, {}).status_code == 200


@pytest.mark.parametrize(("method", "path"), CLOSED_ROUTES)
def test_a_route_refuses_what_is_no_good_credential(
    guarded_gateway: httpx.Client, keys: Mapping[str, str], method: str, path: str
) -> None:
    """None, a wrong one, an expired one, a revoked one: 401, a problem document, and how to."""
    for kind in ("none", "wrong", "expired", "revoked"):
        headers = {} if kind == "none" else bearer(keys[kind])
        response = _call(guarded_gateway, method, path, headers)
        assert response.status_code == 401, kind
        challenges = response.headers.get_list("www-authenticate")
        assert [challenge.split()[0] for challenge in challenges] == ["Bearer", "Basic"]
        assert response.headers["x-request-id"]
        if method != "HEAD":
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["status"] == 401
            assert keys.get(kind, "no key") not in response.text


@pytest.mark.parametrize(("method", "path"), CLOSED_ROUTES)
def test_a_route_answers_a_good_credential(
    guarded_gateway: httpx.Client, keys: Mapping[str, str], method: str, path: str
) -> None:
    """An admin may do everything, however the key is sent."""
    for headers in (bearer(keys["admin"]), {"X-API-Key": keys["admin"]}, basic(keys["admin"])):
        assert _call(guarded_gateway, method, path, headers).status_code == 200


def test_reading_needs_no_more_than_read(
    guarded_gateway: httpx.Client, keys: Mapping[str, str]
) -> None:
    """A reader reads values, metrics and documentation."""
    headers = bearer(keys["read"])
    for path in ("/docs", "/openapi.json", "/metrics", "/v1/features"):
        assert guarded_gateway.get(path, headers=headers).status_code == 200
    assert guarded_gateway.post(BATCH, content=_ASKED, headers=headers).status_code == 200


def test_what_does_not_exist_is_not_told_to_strangers(guarded_gateway: httpx.Client) -> None:
    """An unknown path asks for a credential first, even if it resembles an open one."""
    for path in ("/v2", "/", "/health/x", "//health", "/health/", "/HEALTH", "/docs/../health2"):
        assert guarded_gateway.get(path).status_code == 401


def test_refusals_are_counted(guarded_gateway: httpx.Client, keys: Mapping[str, str]) -> None:
    """By reason; and how old the keys are is known."""
    headers = bearer(keys["read"])
    before = read_metrics(guarded_gateway, headers)
    guarded_gateway.get("/docs", headers=bearer(keys["revoked"]))
    after = read_metrics(guarded_gateway, headers)
    name = 'feature_authentication_refusals_total{reason="revoked"}'
    assert after[name] - before.get(name, 0.0) == 1.0
    route = 'http_requests_total{method="GET",route="/docs",status="401"}'
    assert after[route] - before.get(route, 0.0) == 1.0
    assert "feature_api_keys_age_seconds" in after
