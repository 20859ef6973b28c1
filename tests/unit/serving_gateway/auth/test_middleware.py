"""What a route declares is what its callers must have."""

from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from serving_gateway.auth.access import OPEN, GuardedApp, requires
from serving_gateway.auth.instrumentation import AuthenticationInstruments
from serving_gateway.auth.middleware import AuthenticationMiddleware
from serving_gateway.auth.scopes import AccessScope
from tests.unit.serving_gateway.auth.memory import Memory

_MEMORY = Memory(AccessScope.READ, AccessScope.ADMIN)
_READER, _ADMIN = ({"X-API-Key": text} for text in _MEMORY.texts)


async def _caller(request: Request) -> str:
    await request.body()
    return str(structlog.contextvars.get_contextvars().get("caller", ""))


def _app() -> GuardedApp:
    """Return an application with routes of all kinds."""
    router = APIRouter(prefix="/v1")
    router.add_api_route("/things/{name}", _caller, methods=["GET"])
    router.add_api_route(
        "/things/{name}", _caller, methods=["DELETE"], openapi_extra=requires(AccessScope.ADMIN)
    )
    router.add_api_route("/things", _caller, methods=["GET"])
    router.add_api_route(
        "/things", _caller, methods=["PUT"], openapi_extra=requires(AccessScope.ADMIN)
    )
    outer = APIRouter(prefix="/api")
    outer.include_router(router)
    app = GuardedApp()
    app.include_router(outer)
    app.add_api_route("/open", _caller, methods=["GET"], openapi_extra=OPEN)
    app.add_middleware(
        AuthenticationMiddleware,
        gate=_MEMORY.gate(),
        instruments=AuthenticationInstruments(CollectorRegistry()),
    )
    return app


@pytest.fixture
def app() -> GuardedApp:
    """Return the application."""
    return _app()


@pytest.fixture
def client(app: GuardedApp) -> httpx.AsyncClient:
    """Return a client of it."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app")


async def test_a_route_asks_for_what_it_declares(client: httpx.AsyncClient) -> None:
    """Reading by default; a method that changes things, on the same path, for admins."""
    path = "/api/v1/things/a"
    assert (await client.get(path, headers=_READER)).json().startswith("key:")
    assert (await client.get(path, headers=_ADMIN)).status_code == 200
    assert (await client.delete(path, headers=_ADMIN)).status_code == 200
    assert (await client.delete(path)).status_code == 401
    refused = await client.delete(path, headers=_READER)
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert "insufficient_scope" in refused.headers["www-authenticate"]
    assert "'admin'" in refused.json()["detail"]
    assert (await client.get("/open")).json() == ""


@pytest.mark.parametrize("path", ["/api/v1/things", "/api/v1/things%0A"])
async def test_what_else_matches_a_route_asks_for_the_same(
    client: httpx.AsyncClient, path: str
) -> None:
    """A line break at the end of a path is none to routing."""
    for _ in range(2):  # what is known of a path from its first request included
        assert (await client.put(path, headers=_READER)).status_code == 403
        assert (await client.put(path, headers=_ADMIN)).status_code == 200
        assert (await client.get("/api/v1/things", headers=_READER)).status_code == 200


async def test_a_refused_request_is_known_by_its_route() -> None:
    """As far as there is one: it is counted, and logged, as others are."""
    routes: list[str | None] = []

    async def remember(scope: Scope, receive: Receive, send: Send) -> None:
        await guarded(scope, receive, send)
        routes.append(getattr(scope["route"], "path", None))

    guarded = _app()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(remember), base_url="http://app"
    ) as client:
        for path in ("/api/v1/things/a", "/api/v1/thing", "/else"):
            assert (await client.get(path)).status_code == 401
    assert routes == ["/api/v1/things/{name}", None, None]


async def test_a_refused_body_is_not_read(client: httpx.AsyncClient) -> None:
    """The refusal comes before a byte of it is asked for."""

    async def body() -> AsyncIterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    response = await client.request("DELETE", "/api/v1/things/a", content=body(), headers=_READER)
    assert response.status_code == 403


def test_the_document_tells_what_a_route_asks_for(app: GuardedApp) -> None:
    """In OpenAPI's words, with the refusals; an open route has none."""
    paths = app.openapi()["paths"]
    assert paths["/open"]["get"]["security"] == []
    assert "401" not in paths["/open"]["get"]["responses"]
    things = paths["/api/v1/things/{name}"]
    assert {"bearer": ["read"]} in things["get"]["security"]
    assert {"api_key": ["admin"]} in things["delete"]["security"]
    assert {"401", "403", "429"} <= set(things["delete"]["responses"])
    assert app.openapi() is app.openapi()
