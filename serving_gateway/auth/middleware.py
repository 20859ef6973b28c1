"""Authentication around the application, before the body of a request is read."""

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from foundation.errors import FeatureStoreError, Refused
from serving_gateway.api.problems import answer
from serving_gateway.auth.access import RouteAccess
from serving_gateway.auth.gate import Gate
from serving_gateway.auth.instrumentation import AuthenticationInstruments

_log = structlog.get_logger()


class AuthenticationMiddleware:
    """
    Lets in who may, answers who may not, and tells the logs the caller's name.

    Args:
        app: The application within.
        gate: Decides.
        instruments: Told of refusals.
    """

    def __init__(self, app: ASGIApp, *, gate: Gate, instruments: AuthenticationInstruments) -> None:
        self._app = app
        self._gate = gate
        self._instruments = instruments
        self._access: RouteAccess | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        access = self._access = self._access or RouteAccess(scope["app"])
        if access.is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            caller = self._gate.admit(scope, access.scope_of(scope))
        except FeatureStoreError as error:
            # Nobody will look for it any more, and it is to be counted as the route that it is.
            scope["route"] = access.route_of(scope)
            if isinstance(error, Refused):
                self._instruments.count_refusal(error.reason)
                _log.info("request_refused", reason=error.reason, detail=error.message)
            await answer(error)(scope, receive, send)
            return
        scope["caller"] = caller.logged_as
        # bound_contextvars would do the same, and look at every other field for it.
        tokens = structlog.contextvars.bind_contextvars(caller=caller.logged_as)
        try:
            await self._app(scope, receive, send)
        finally:
            structlog.contextvars.reset_contextvars(**tokens)
