"""
What each route asks of its callers: said once, at the route, in OpenAPI's own words.

A route that says nothing is for reading. `openapi_extra=requires(AccessScope.ADMIN)` or
`openapi_extra=OPEN` says otherwise; the document under /docs and the check follow from it.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import Match
from starlette.types import Scope

from serving_gateway.api import documentation
from serving_gateway.api.layers import LayeredApp
from serving_gateway.auth.scopes import AccessScope

_SCHEMES: dict[str, dict[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or a token of the identity provider.",
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "For browsers: any user name, the API key as password.",
    },
}


def requires(scope: AccessScope) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that asks for a scope."""
    return {"security": [{scheme: [scope.value]} for scheme in _SCHEMES]}


# The `openapi_extra` of a route that anybody may call. Its path must have no parameters.
OPEN: dict[str, Any] = {"security": []}


class RouteAccess:
    """Who may call which route of an application, in quick form."""

    def __init__(self, app: FastAPI) -> None:
        self._open = frozenset(
            str(route.path)
            for route in iter_route_contexts(app.routes)
            if _declared(route) == OPEN["security"]
        )
        self._routes = list(iter_route_contexts(app.routes))
        administrative = requires(AccessScope.ADMIN)["security"]
        self._administrative = [r for r in self._routes if _declared(r) == administrative]
        self._plain = {(str(r.path), method) for r in self._routes for method in r.methods or ()}
        self._known: dict[tuple[str, str], AccessScope] = {}

    def is_open(self, path: str) -> bool:
        """Whether anybody may call the route."""
        return path in self._open

    def scope_of(self, scope: Scope) -> AccessScope:
        """Return what the route of a request asks for."""
        place: tuple[str, str] = (scope["path"], scope["method"])
        asked = self._known.get(place)
        if asked is None:
            asked = self._matched(scope)
            if place in self._plain:  # of which there are few, and of other paths any number
                self._known[place] = asked
        return asked

    def route_of(self, scope: Scope) -> RouteContext | None:
        """Return the route of a request; None if there is none, or not with its method."""
        for route in self._routes:
            if route.matches(scope)[0] is Match.FULL:
                return route
        return None

    def _matched(self, scope: Scope) -> AccessScope:
        for route in self._administrative:
            if route.matches(scope)[0] is Match.FULL:
                return AccessScope.ADMIN
        return AccessScope.READ


class GuardedApp(LayeredApp):
    """An application whose OpenAPI document tells what each route asks of its callers."""

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        schema = super().openapi()
        schema.setdefault("components", {})["securitySchemes"] = _SCHEMES
        for operation in documentation.operations(schema):
            if operation.setdefault("security", requires(AccessScope.READ)["security"]):
                operation["responses"] |= documentation.refusals()
        documentation.complete(schema)
        return schema


def _declared(route: RouteContext) -> Any:  # noqa: ANN401 - absent, or as declared
    return (getattr(route, "openapi_extra", None) or {}).get("security")
