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
from foundation.settings import Settings
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.defaults import Defaults
from serving_gateway.feature_store import FeatureStore
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.loop_lag import LoopLag
from serving_gateway.rules_cache import RulesCache
from serving_gateway.served_sample import ServedSample
from serving_gateway.shadow_instruments import ShadowInstruments
from serving_gateway.shadows import READERS, Shadows
from serving_gateway.tiers.chain import build_chain, longest_computation_seconds
from serving_gateway.tiers.clustered import ClusteredOnlineTier
from serving_gateway.tiers.computing import Computing, open_computing
from serving_gateway.tiers.guard import GuardPolicy, Guards
from serving_gateway.tiers.offline import OfflineTier
from serving_gateway.tiers.on_demand import OnDemandTier
from serving_gateway.tiers.online import OnlineTier
from serving_gateway.use_ledger import UseLedger
from serving_gateway.version_choice import VersionChoice
from serving_gateway.write_back import WriteBack
from transformations.on_demand import is_computable

_log = structlog.get_logger()

_VITAL_SIGNS_SECONDS = 0.5
_RESTART_SECONDS = 1.0
_LAST_WRITES_SECONDS = 2.0
# Feast reads features, entities and services one after the other.
_ANSWERS_PER_CATALOG = 3


@dataclass(frozen=True)
class Resources:
    """The parts that requests need."""

    settings: Settings
    pool: Pool
    store: FeatureStore
    catalog: CatalogCache
    instruments: Instruments
    online: OnlineTier | ClusteredOnlineTier
    offline: OfflineTier
    on_demand: OnDemandTier
    defaults: Defaults
    write_back: WriteBack
    sample: ServedSample
    uses: UseLedger
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
        computing = stack.enter_context(
            open_computing(settings, warm_timeout_seconds=longest_computation_seconds(settings))
        )
        resources, background = _build(settings, instruments, read_catalog, pool, computing)
        stack.push_async_callback(resources.online.close)
        app.state.resources = resources
        await asyncio.gather(resources.catalog.refresh(), resources.online.answers())
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
                    await asyncio.gather(resources.write_back.finish(), resources.sample.finish())
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
    pool: Pool,
    computing: Computing,
) -> tuple[Resources, Sequence[Callable[[], Awaitable[None]]]]:
    """Return the parts, and what runs beside requests until the end."""
    catalog = CatalogCache(
        read_catalog,
        interval=timedelta(seconds=settings.catalog_refresh_seconds),
        limit=timedelta(seconds=_ANSWERS_PER_CATALOG * settings.registry_timeout_seconds),
    )
    rules = RulesCache(
        settings.serving_rules, interval=timedelta(seconds=settings.serving_rules_refresh_seconds)
    )
    digest, lag = LogDigest(), LoopLag()
    write_back = WriteBack(settings, pool, instruments, digest)

    policy = GuardPolicy(
        failures=settings.breaker_failures,
        failing_seconds=settings.breaker_failing_seconds,
        recovery_seconds=settings.breaker_recovery_seconds,
    )
    guards = Guards(policy, lag, instruments, digest)
    chain = build_chain(
        settings,
        pool=pool,
        catalog=catalog,
        computing=computing,
        write_back=write_back,
        guards=guards,
        instruments=instruments,
        digest=digest,
    )
    defaults = Defaults(pool, catalog)
    shadows = Shadows(
        rules,
        catalog,
        stored=(chain.online, chain.offline),
        computed=(chain.on_demand,),
        instruments=ShadowInstruments(instruments.registry),
        digest=digest,
    )
    sample, uses = ServedSample(settings, instruments, digest), UseLedger(pool, digest)
    store = FeatureStore(
        settings,
        catalog,
        VersionChoice(catalog, rules, instruments),
        chain,
        defaults,
        instruments,
        (shadows, uses),
        sample,
        digest,
        lag,
    )

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
        *chain,
        defaults,
        write_back,
        sample,
        uses,
        digest,
    )
    return resources, (
        catalog.refresh_forever,
        rules.refresh_forever,
        defaults.refresh_forever,
        digest.flush_forever,
        lag.watch,
        guards.probe_forever,
        record_vital_signs,
        write_back.run,
        sample.run,
        uses.run,
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
