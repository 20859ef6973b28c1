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


# The `openapi_extra` of a route that anybody may call.
OPEN: dict[str, Any] = {"security": []}


class RouteAccess:
    """
    Who may call which route of an application, in quick form.

    Args:
        app: Its open and administrative routes have no parameters in their paths.

    Raises:
        ValueError: One has.
    """

    def __init__(self, app: FastAPI) -> None:
        self._routes = list(iter_route_contexts(app.routes))
        self._open = self._paths(OPEN)
        self._administrative = self._paths(requires(AccessScope.ADMIN))

    def is_open(self, path: str) -> bool:
        """Whether anybody may call the route."""
        return path in self._open

    def scope_of(self, scope: Scope) -> AccessScope:
        """Return what the route of a request asks for."""
        is_administrative = scope["path"] in self._administrative
        return AccessScope.ADMIN if is_administrative else AccessScope.READ

    def route_of(self, scope: Scope) -> RouteContext | None:
        """Return the route of a request; None if there is none, or not with its method."""
        for route in self._routes:
            if route.matches(scope)[0] is Match.FULL:
                return route
        return None

    def _paths(self, extra: dict[str, Any]) -> frozenset[str]:
        """Return the paths of the routes with an `openapi_extra`."""
        paths = {str(r.path) for r in self._routes if _declared(r) == extra["security"]}
        for path in paths:
            if "{" in path:
                raise ValueError(f"{path}: a request's path would not be known as this route's")
        return frozenset(paths)


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
