"""Put the gateway together."""

import contextlib
from collections.abc import AsyncIterator, Callable

from fastapi import FastAPI

from feature_repo.registry.catalog import Catalog, read_catalog
from foundation.settings import Settings
from serving_gateway.api import features, operations, problems
from serving_gateway.api.middleware import RequestMiddleware
from serving_gateway.instrumentation import Instruments
from serving_gateway.resources import running

_DESCRIPTION = """
Features of products and users, for search, recommendation and ranking.

* `POST /v1/features/batch` reads many features of many entities at once.
* `GET /v1/features` lists what there is.

A value is served from the first tier that has it: **online** (Redis, fresh values only), then the
feature's **default**. Errors are problem documents that say what to change.
"""


def create_app(
    settings: Settings, *, catalog_reader: Callable[[], Catalog] = read_catalog
) -> FastAPI:
    """
    Return the gateway as an ASGI application; nothing is opened before it starts.

    Args:
        settings: Where Redis is, and the limits.
        catalog_reader: Reads the catalog.
    """
    instruments = Instruments()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(app, settings, instruments, catalog_reader):
            yield

    app = FastAPI(
        title="Feature gateway", version="1.0.0", description=_DESCRIPTION, lifespan=lifespan
    )
    app.include_router(features.router)
    app.include_router(operations.router)
    problems.install(app)
    app.add_middleware(
        RequestMiddleware, instruments=instruments, max_body_bytes=settings.max_request_bytes
    )
    return app
