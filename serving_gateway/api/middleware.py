"""What happens around every request: an id, a limit for the body, and the measuring."""

import random
import re
import time

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foundation.errors import LimitExceeded
from foundation.tracing import request_span
from serving_gateway.api.access_log import AccessLog
from serving_gateway.api.headers import header_of
from serving_gateway.api.problems import unexpected
from serving_gateway.departure import Departure
from serving_gateway.instrumentation import Instruments

_HEADER = b"x-request-id"
_SOUND_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestMiddleware:
    """
    Binds the request's id to its logs, caps its body, and records its outcome.

    Answers what nobody foresaw, too: Starlette would do so outside, where the id is unknown.

    Plain ASGI: Starlette's BaseHTTPMiddleware would cost more than reading a batch from Redis.

    Args:
        app: The application within.
        instruments: Told how each request ended.
        access_log: Told the same.
        departure: Told what is under way.
        max_body_bytes: Longest body that is read.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        instruments: Instruments,
        access_log: AccessLog,
        departure: Departure,
        max_body_bytes: int,
    ) -> None:
        self._app = app
        self._instruments = instruments
        self._access_log = access_log
        self._departure = departure
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        header = (_HEADER, request_id.encode())
        status: int | None = None
        is_whole = False

        async def send_with_id(message: Message) -> None:
            nonlocal status, is_whole
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append(header)
            else:
                is_whole = not message.get("more_body", False)
            await send(message)

        # bound_contextvars would do the same, and look at every other field for it.
        tokens = structlog.contextvars.bind_contextvars(request_id=request_id)
        turn = self._departure.enter()
        with request_span(scope["method"], lambda: Headers(scope=scope)) as traced_request:
            try:
                await self._app(scope, self._capped(scope, receive), send_with_id)
            except Exception as error:
                if status is None:
                    await unexpected(error)(scope, receive, send_with_id)
                elif not is_whole:  # half an answer is out; the server cuts the connection
                    raise
            finally:
                self._departure.leave(turn)
                route = getattr(scope.get("route"), "path", "unmatched")
                seconds = time.perf_counter() - started
                self._access_log.note(scope, route, status or 500, seconds)
                structlog.contextvars.reset_contextvars(**tokens)
                self._instruments.count_request(route, scope["method"], status or 500, seconds)
                traced_request.note(
                    lambda: {
                        "http.route": route,
                        "http.response.status_code": status or 500,
                        "feature_store.request_id": request_id,
                    }
                )

    def _capped(self, scope: Scope, receive: Receive) -> Receive:
        """Return `receive`, refusing a body that says it is too long or turns out to be."""
        declared = int(header_of(scope, b"content-length") or "0")
        received = 0

        async def capped() -> Message:
            nonlocal received
            self._check_length(declared)
            message = await receive()
            received += len(message.get("body", b""))
            if received > declared:  # it does not say how long it is
                self._check_length(received)
            return message

        return capped

    def _check_length(self, length: int) -> None:
        if length > self._max_body_bytes:
            raise LimitExceeded(
                f"the body is longer than {self._max_body_bytes} bytes",
                hint="Split the request.",
            )


def _request_id(scope: Scope) -> str:
    given = header_of(scope, _HEADER) or ""
    return given if _SOUND_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
