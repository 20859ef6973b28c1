"""Routes that answer without what FastAPI does around an endpoint."""

from collections.abc import Sequence
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from serving_gateway.api.headers import TIMEOUT_PARAMETER


class DirectRoute(APIRoute):
    """
    Hands the request to its endpoint, and sends the response that comes back.

    Resolving dependencies and validating bodies takes FastAPI longer than we need to read a batch.
    The OpenAPI document is that of any route; `direct` adds what the endpoint reads itself.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose path matches."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response = await self.endpoint(Request(scope, receive))
        await response(scope, receive, send)


def direct(body: type[BaseModel], parameters: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return what the OpenAPI document says of a route that parses its body itself."""
    return {
        "parameters": [*parameters, TIMEOUT_PARAMETER],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body.model_json_schema()}},
        },
    }
