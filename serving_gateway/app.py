"""Put the gateway together."""

import contextlib
from collections.abc import AsyncIterator, Callable

from fastapi import FastAPI

from feature_repo.registry.catalog import Catalog, read_catalog
from foundation.settings import Settings
from serving_gateway.api import administration, features, operations, problems
from serving_gateway.api.middleware import RequestMiddleware
from serving_gateway.instrumentation import Instruments
from serving_gateway.resources import running

_DESCRIPTION = """
Features of products and users, for search, recommendation and ranking.

* `POST /v1/feature-services/{name}` reads all that a team's model needs for candidate products.
* `POST /v1/features/batch` reads many features of many entities at once.
* `GET /v1/features` lists what there is.

A value is served from the first tier that has it: **online** (Redis, fresh values only),
**offline** (PostgreSQL, the latest value, `stale` if it is too old), **on_demand** (computed for
the request, where the feature allows), or it is the feature's **default**. Each tier is asked once
for all that is missing, and given up quickly when it is down: the answer is then `degraded`.

Errors are problem documents that say what to change. Every answer has an `X-Request-ID`.
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
    app.include_router(features.direct_router)
    app.include_router(features.router)
    app.include_router(administration.router)
    app.include_router(operations.router)
    problems.install(app)
    app.add_middleware(
        RequestMiddleware, instruments=instruments, max_body_bytes=settings.max_request_bytes
    )
    return app
