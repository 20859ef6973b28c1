"""What a running gateway holds, from its start to its end."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from fastapi import FastAPI, Request

from feature_repo.registry.catalog import Catalog
from foundation.errors import DefinitionError
from foundation.postgres import Pool, connection_pool
from foundation.redis import AsyncClient, connect_async
from foundation.settings import Settings
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.defaults import Defaults
from serving_gateway.exposures import ExposureInstruments, Exposures
from serving_gateway.feature_store import FeatureStore
from serving_gateway.instrumentation import Instruments
from serving_gateway.invalidation import Invalidator
from serving_gateway.journal import Journal
from serving_gateway.log_digest import LogDigest
from serving_gateway.loop_lag import LoopLag
from serving_gateway.reading_instruments import StalenessSample
from serving_gateway.reading_log import ReadingLog
from serving_gateway.rules_cache import RulesCache
from serving_gateway.rules_watch import RulesInstruments, RulesWatch
from serving_gateway.served_sample import ServedSample
from serving_gateway.shadow_instruments import ShadowInstruments
from serving_gateway.shadows import READERS, Shadows
from serving_gateway.tiers.guard import Guard, GuardPolicy
from serving_gateway.tiers.offline import OfflineTier
from serving_gateway.tiers.on_demand import OnDemandTier
from serving_gateway.tiers.online import OnlineTier
from serving_gateway.use_ledger import UseLedger
from serving_gateway.version_choice import VersionChoice
from serving_gateway.write_back import WriteBack
from transformations.embedding import Embed
from transformations.embedding.process import open_embedder
from transformations.on_demand import is_computable

_log = structlog.get_logger()

_VITAL_SIGNS_SECONDS = 0.5
_RESTART_SECONDS = 1.0
_LAST_WRITES_SECONDS = 2.0
# A read that has lost its budget may still end well for the next who asks, but not for ever.
_BUDGETS_PER_FLIGHT = 10


@dataclass(frozen=True)
class Resources:
    """The parts that requests need."""

    settings: Settings
    pool: Pool
    store: FeatureStore
    catalog: CatalogCache
    instruments: Instruments
    online: OnlineTier
    invalidator: Invalidator
    defaults: Defaults
    write_back: WriteBack
    journals: Sequence[Journal]
    uses: UseLedger
    rules_watch: RulesWatch
    digest: LogDigest


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
    async with contextlib.AsyncExitStack() as stack:
        pool = connection_pool(settings)
        stack.push_async_callback(pool.close)
        client = connect_async(settings)
        stack.push_async_callback(client.aclose)
        embed = stack.enter_context(open_embedder(settings))
        resources, background = _build(settings, instruments, read_catalog, client, pool, embed)
        stack.push_async_callback(resources.online.close)
        app.state.resources = resources
        await asyncio.gather(resources.catalog.refresh(), resources.online.answers())
        resources.rules_watch.check()
        await pool.open(wait=False)
        await resources.defaults.refresh()
        await asyncio.to_thread(_import_computations, resources.catalog)
        # A collection over all that Feast imported would stall requests for a tenth of a second.
        gc.collect()
        gc.freeze()
        tasks = [asyncio.create_task(_kept_up(each)) for each in background]
        try:
            yield
        finally:
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
            instruments.hand_over()
            resources.write_back.close()


def _build(
    settings: Settings,
    instruments: Instruments,
    read_catalog: Callable[[], Catalog],
    client: AsyncClient,
    pool: Pool,
    embed: Embed,
) -> tuple[Resources, Sequence[Callable[[], Awaitable[None]]]]:
    """Return the parts, and what runs beside requests until the end."""
    catalog = CatalogCache(
        read_catalog, interval=timedelta(seconds=settings.catalog_refresh_seconds)
    )
    rules = RulesCache(settings.serving_rules)
    rules_watch = RulesWatch(
        rules,
        catalog,
        RulesInstruments(instruments.metrics),
        interval=timedelta(seconds=settings.serving_rules_refresh_seconds),
    )
    digest, lag = LogDigest(), LoopLag()
    write_back = WriteBack(settings, pool, instruments, digest)

    def guard(name: str, budget_seconds: float) -> Guard:
        policy = GuardPolicy(
            budget_seconds, settings.breaker_failures, settings.breaker_recovery_seconds
        )
        return Guard(name, policy, lag, instruments, digest)

    online = OnlineTier(
        client,
        connections=settings.redis_max_connections,
        guard=guard(OnlineTier.name, settings.redis_timeout_seconds),
    )
    offline = OfflineTier(
        pool,
        guard=guard(OfflineTier.name, settings.postgres_timeout_seconds),
        write_back=write_back,
        absent_seconds=settings.absent_seconds,
        limit_seconds=settings.postgres_timeout_seconds * _BUDGETS_PER_FLIGHT,
    )
    on_demand = OnDemandTier(
        pool,
        catalog,
        embed,
        make_guard=lambda name: guard(name, settings.on_demand_timeout_seconds),
        write_back=write_back,
        absent_seconds=settings.absent_seconds,
        limit_seconds=settings.on_demand_timeout_seconds * _BUDGETS_PER_FLIGHT,
    )
    invalidator = Invalidator(settings, pool, client, catalog, (offline.flights, on_demand.flights))
    defaults = Defaults(pool, catalog)
    shadows = Shadows(
        rules,
        catalog,
        stored=(online, offline),
        computed=(on_demand,),
        instruments=ShadowInstruments(instruments.registry),
        digest=digest,
    )
    sample, uses = ServedSample(settings, instruments, digest), UseLedger(pool, digest)
    exposures = Exposures(settings, ExposureInstruments(instruments.metrics), digest)
    store = FeatureStore(
        settings,
        catalog,
        VersionChoice(catalog, rules, digest),
        (online, offline, on_demand),
        defaults,
        (
            instruments.readings,
            StalenessSample(instruments.readings),
            ReadingLog(digest),
            uses,
            shadows,
            sample,
        ),
        exposures,
    )

    journals = [each for each in (sample.journal, exposures.journal) if each is not None]

    async def record_vital_signs() -> None:
        while True:
            instruments.record_vital_signs(
                catalog_age_seconds=catalog.age_seconds(), lag_seconds=lag.seconds
            )
            await asyncio.sleep(_VITAL_SIGNS_SECONDS)

    resources = Resources(
        settings,
        pool,
        store,
        catalog,
        instruments,
        online,
        invalidator,
        defaults,
        write_back,
        journals,
        uses,
        rules_watch,
        digest,
    )
    return resources, (
        catalog.refresh_forever,
        rules_watch.run,
        defaults.refresh_forever,
        digest.flush_forever,
        lag.watch,
        record_vital_signs,
        write_back.run,
        *(journal.run for journal in journals),
        uses.run,
        invalidator.watch,
        *[shadows.run] * READERS,
    )


async def _kept_up(work: Callable[[], Awaitable[None]]) -> None:
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
