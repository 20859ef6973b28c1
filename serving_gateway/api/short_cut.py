"""The way to the routes of most requests, past what FastAPI does around an endpoint."""

from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serving_gateway.api.examples import Examples
from serving_gateway.api.headers import TIMEOUT_PARAMETER
from serving_gateway.api.problems import EXPECTED, answer

Body = TypeVar("Body", bound=BaseModel)


class ShortCut:
    """
    Hands requests to endpoints that read them, and send the response that comes back.

    Finding the route, resolving dependencies and validating the body takes FastAPI longer than we
    need to read a batch.

    Args:
        app: Gets all other requests.
        routers: Of POST routes, included in the application too, for its OpenAPI document; their
            endpoints take the request and nothing else.
    """

    def __init__(self, app: ASGIApp, *, routers: Sequence[APIRouter]) -> None:
        self._app = app
        routes = [r for router in routers for r in router.routes if isinstance(r, APIRoute)]
        self._by_path = {route.path: route for route in routes if "{" not in route.path}
        self._others = [route for route in routes if "{" in route.path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        route = self._route_of(scope)
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        try:
            response = await route.endpoint(Request(scope, receive))
        except EXPECTED as error:
            response = answer(error)
        await response(scope, receive, send)

    def _route_of(self, scope: Scope) -> APIRoute | None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return None
        path = scope["path"]
        if path in self._by_path:
            return self._by_path[path]
        for route in self._others:
            if found := route.path_regex.match(path):
                scope["path_params"] = found.groupdict()
                return route
        return None


async def read_body(request: Request, model: type[Body]) -> Body:
    """
    Return the body of a request.

    Raises:
        ClientDisconnect: The caller hung up.
        RequestValidationError: It is not what the model says.
    """
    content = await _content(request.receive)
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from None


async def _content(receive: Receive) -> bytes:
    """Return a whole body; Starlette's way takes three times as long for one that came whole."""
    parts = []
    more_body = True
    while more_body:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more_body = message.get("more_body", False)
    return b"".join(parts)


def direct(
    body: type[BaseModel], examples: Examples, *, parameters: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Return what the OpenAPI document says of a route that reads its request itself."""
    return {
        "parameters": [*parameters, TIMEOUT_PARAMETER],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": body.model_json_schema(), "examples": examples}
            },
        },
    }
