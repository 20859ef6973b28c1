"""What a running gateway holds, from its start to its end."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI, Request

from feature_repo.registry.catalog import Catalog
from foundation.redis import connect_async
from foundation.settings import Settings
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.feature_store import FeatureStore
from serving_gateway.instrumentation import Instruments
from serving_gateway.rules_cache import RulesCache
from serving_gateway.tiers.default import DefaultTier
from serving_gateway.tiers.online import OnlineTier
from serving_gateway.version_choice import VersionChoice


@dataclass(frozen=True)
class Resources:
    """The parts that requests need."""

    store: FeatureStore
    catalog: CatalogCache
    instruments: Instruments
    online: OnlineTier


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
    online = OnlineTier(
        client,
        connections=settings.redis_max_connections,
        wait_seconds=settings.redis_timeout_seconds,
    )
    rules = RulesCache(
        settings.serving_rules,
        interval=timedelta(seconds=settings.serving_rules_refresh_seconds),
    )
    versions = VersionChoice(catalog, rules, instruments)
    store = FeatureStore(settings, catalog, versions, (online, DefaultTier()), instruments)
    app.state.resources = Resources(store, catalog, instruments, online)
    await catalog.refresh()
    # A collection over all that Feast imported would stall requests for a tenth of a second.
    gc.collect()
    gc.freeze()
    refreshing = asyncio.gather(catalog.refresh_forever(), rules.refresh_forever())
    try:
        yield
    finally:
        refreshing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await refreshing
        await client.aclose()
