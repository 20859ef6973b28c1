"""Put the gateway together."""

import contextlib
import gc
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.catalog_reader import CatalogReader
from foundation.settings import Settings
from foundation.tracing import traced
from serving_gateway.api import administration, feast, features, lineage, operations, problems
from serving_gateway.api.access_log import AccessLog
from serving_gateway.api.documentation import TAGS
from serving_gateway.api.documentation_page import add_documentation_page
from serving_gateway.api.middleware import RequestMiddleware
from serving_gateway.api.short_cut import ShortCut
from serving_gateway.auth.access import GuardedApp
from serving_gateway.auth.authenticator import build_authenticator
from serving_gateway.auth.gate import build_gate
from serving_gateway.auth.instrumentation import AuthenticationInstruments
from serving_gateway.auth.middleware import AuthenticationMiddleware
from serving_gateway.departure import Departure, lingering_seconds
from serving_gateway.instrumentation import Instruments
from serving_gateway.opening import open_resources

# Of Python's garbage collector, whose own are 700, 10 and 10.
_COLLECTION_THRESHOLDS = (10_000, 5, 10)
_SWITCH_SECONDS = 0.0005
_DESCRIPTION = """
Features of products and users, for search, recommendation and ranking.

* `POST /v1/feature-services/{name}` reads all that a team's model needs for candidate products.
* `POST /v1/features/batch` reads many features of many entities at once.
* `GET /v1/features` lists what there is.
* `POST /get-online-features` answers as `feast serve` does.

A value is served from the first tier that has it: **online** (Redis, fresh values only),
**offline** (PostgreSQL, the latest value, `stale` if it is too old), **on_demand** (computed for
the request, where the feature allows), or it is the feature's **default**. Each tier is asked once
for all that is missing, and given up quickly when it is down: the answer is then `degraded`.

Errors are problem documents that say what to change. Every answer has an `X-Request-ID`.
"""


def create_app(
    settings: Settings,
    *,
    catalog_reader: Callable[[], Catalog] | None = None,
    instruments: Instruments | None = None,
) -> FastAPI:
    """
    Return the gateway as an ASGI application; nothing is opened before it starts.

    Args:
        settings: Where Redis is, and the limits.
        catalog_reader: Reads the catalog; None for Feast's registry.
        instruments: What it records its metrics with; None for metrics of one process.
    """
    instruments = instruments or Instruments()
    authenticator = build_authenticator(settings) if settings.authentication == "on" else None
    refusals = AuthenticationInstruments(instruments.registry)
    departure = Departure(limit_seconds=lingering_seconds(settings))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(traced(settings, "feature-gateway"))
            if authenticator is not None:
                await stack.enter_async_context(authenticator.running())
                await stack.enter_async_context(refusals.recording(authenticator))
            opening = open_resources(settings, instruments, catalog_reader or CatalogReader())
            app.state.resources = await stack.enter_async_context(opening)
            _favour_requests()
            stack.enter_context(departure.heeding_signals())
            yield

    app = _routed(lifespan)
    app.state.departure = departure
    app.state.authenticator = authenticator
    app.add_middleware(ShortCut, routers=(features.direct_router, feast.direct_router))
    if authenticator is not None:
        gate = build_gate(settings, authenticator)
        app.add_middleware(AuthenticationMiddleware, gate=gate, instruments=refusals)
    app.add_middleware(
        RequestMiddleware,
        instruments=instruments,
        access_log=AccessLog(settings.access_log),
        departure=departure,
        max_body_bytes=settings.max_request_bytes,
    )
    return app


def _favour_requests() -> None:
    """
    Keep what else the process does from holding up requests.

    Collections over all that Feast imported would take a tenth of a second each. What a request
    leaves behind is in no cycle, so it need not be looked for each few requests. And a thread that
    reads the catalog would hand the interpreter back only when Python's own 5 ms are over.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTION_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_SECONDS)


def _routed(lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> GuardedApp:
    """Return an application with all routes."""
    app = GuardedApp(
        title="Feature gateway",
        version="1.0.0",
        description=_DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # It would look for a configuration of OpenTelemetry at each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(features.direct_router)
    app.include_router(feast.direct_router)
    app.include_router(features.router)
    app.include_router(lineage.router)
    app.include_router(administration.router)
    app.include_router(operations.router)
    add_documentation_page(app)
    problems.install(app)
    return app
