"""Middleware around all of FastAPI, which most requests need not enter."""

from fastapi import FastAPI
from starlette.types import ASGIApp


class LayeredApp(FastAPI):
    """
    An application whose middleware stands outside of FastAPI's own.

    FastAPI would put its handling of errors, telemetry and body limits around ours, and a request
    that takes the short cut would pay for each of them.
    """

    def build_middleware_stack(self) -> ASGIApp:
        """Return the whole, from the outermost middleware in."""
        ours, self.user_middleware = self.user_middleware, []
        app = super().build_middleware_stack()
        for middleware in reversed(ours):
            app = middleware.cls(app, *middleware.args, **middleware.kwargs)
        return app
