"""What a running gateway holds, from its start to its end."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

import redis
from fastapi import FastAPI, Request

from feature_repo.registry.catalog import Catalog
from foundation.redis import AsyncClient, connect_async
from foundation.settings import Settings
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.feature_store import FeatureStore
from serving_gateway.instrumentation import Instruments
from serving_gateway.tiers.default import DefaultTier
from serving_gateway.tiers.online import OnlineTier


@dataclass(frozen=True)
class Resources:
    """The parts that requests need."""

    store: FeatureStore
    catalog: CatalogCache
    instruments: Instruments
    redis: AsyncClient

    async def online_answers(self) -> bool:
        """Tell whether Redis answers."""
        try:
            return bool(await self.redis.ping())
        except (redis.RedisError, redis.RedisClusterException, OSError):
            return False


def resources_of(request: Request) -> Resources:
    """Return the resources of the application that handles a request."""
    resources: Resources = request.app.state.resources
    return resources


@contextlib.asynccontextmanager
async def running(
    app: FastAPI,
    settings: Settings,
    instruments: Instruments,
    read_catalog: Callable[[], Catalog],
) -> AsyncIterator[None]:
    """Open the resources of an application in its own process, and close them at its end."""
    client = connect_async(settings)
    catalog = CatalogCache(
        read_catalog, interval=timedelta(seconds=settings.catalog_refresh_seconds)
    )
    instruments.watch_catalog_age(catalog.age_seconds)
    tiers = (OnlineTier(client), DefaultTier())
    store = FeatureStore(settings, catalog, tiers, instruments)
    app.state.resources = Resources(store, catalog, instruments, client)
    await catalog.refresh()
    # A collection over all that Feast imported would stall requests for a tenth of a second.
    gc.collect()
    gc.freeze()
    refreshing = asyncio.create_task(catalog.refresh_forever())
    try:
        yield
    finally:
        refreshing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await refreshing
        await client.aclose()
