"""Open what a gateway is made of, keep it going, and close it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import structlog

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.catalog_reader import CatalogReader
from foundation.errors import DefinitionError
from foundation.postgres import connection_pool
from foundation.redis import connect_async
from foundation.settings import Settings, load_settings
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.feature_store import FeatureStore
from serving_gateway.instrumentation import Instruments
from serving_gateway.resources import Connections, Resources, Work, build_resources
from serving_gateway.tiers.chain import longest_computation_seconds
from serving_gateway.tiers.computing import open_computing
from transformations.on_demand import is_computable

_log = structlog.get_logger()

_RESTART_SECONDS = 1.0
_LAST_WRITES_SECONDS = 2.0


@contextlib.asynccontextmanager
async def open_feature_store(settings: Settings | None = None) -> AsyncIterator[FeatureStore]:
    """
    Open the specification's interface in this process, without HTTP.

        async with open_feature_store() as store:
            value = await store.get_feature("prod_123", "popularity_score")

    It reads as the gateway does: the same tiers, defaults, serving rules and limits. Use one in a
    process, for as long as it lives: it holds connections and the catalog.

    Args:
        settings: Where the stores are, and the limits; None: those of the environment.

    Raises:
        ConfigurationError: A setting, or the file of serving rules, is wrong.
    """
    opened = open_resources(settings or load_settings(), Instruments(), CatalogReader())
    async with opened as resources:
        yield resources.store


@contextlib.asynccontextmanager
async def open_resources(
    settings: Settings, instruments: Instruments, read_catalog: Callable[[], Catalog]
) -> AsyncIterator[Resources]:
    """Open the resources of a process in its event loop, and close them at the end."""
    async with contextlib.AsyncExitStack() as stack:
        pool = connection_pool(settings)
        stack.push_async_callback(pool.close)
        client = connect_async(settings)
        stack.push_async_callback(client.aclose)
        computing = stack.enter_context(
            open_computing(settings, warm_timeout_seconds=longest_computation_seconds(settings))
        )
        connections = Connections(client, pool, computing)
        resources = build_resources(settings, instruments, read_catalog, connections)
        stack.push_async_callback(resources.online.close)
        await asyncio.gather(resources.catalog.refresh(), resources.online.answers())
        resources.rules_watch.check()
        await pool.open(wait=False)
        await resources.defaults.refresh()
        await asyncio.to_thread(_import_computations, resources.catalog)
        tasks = [asyncio.create_task(_kept_up(work)) for work in resources.background]
        try:
            yield resources
        finally:
            await _finish(resources, tasks)


async def _finish(resources: Resources, tasks: list[asyncio.Task[None]]) -> None:
    """Write what waits to be written, and end what runs in the background."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WRITES_SECONDS):
            await asyncio.gather(
                resources.write_back.finish(),
                *(journal.finish() for journal in resources.journals),
            )
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await resources.uses.flush()
    resources.digest.flush()
    resources.instruments.hand_over()
    resources.write_back.close()


async def _kept_up(work: Work) -> None:
    """Do work that never ends; should it fail all the same, say so and start it again."""
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - what nobody foresaw must not end it for good
            _log.error("background_work_failed", work=work.__qualname__, exc_info=True)
            await asyncio.sleep(_RESTART_SECONDS)


def _import_computations(catalog: CatalogCache) -> None:
    """Import now what the first request would wait for."""
    if catalog.is_loaded:
        for feature in catalog.current.features:
            try:
                is_computable(feature)
            except DefinitionError as error:
                _log.warning("computation_missing", feature=feature.reference, error=str(error))
