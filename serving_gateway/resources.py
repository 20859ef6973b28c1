"""What a running gateway is made of, put together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from starlette.requests import Request

from feature_repo.registry.catalog import Catalog
from foundation.postgres import Pool
from foundation.redis import AsyncClient
from foundation.settings import Settings
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.defaults import Defaults
from serving_gateway.exposures import ExposureInstruments, Exposures
from serving_gateway.feature_store import FeatureStore, Observer
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
from serving_gateway.tiers.chain import Chain, build_chain
from serving_gateway.tiers.clustered import ClusteredOnlineTier
from serving_gateway.tiers.computing import Computing
from serving_gateway.tiers.guard import GuardPolicy, Guards
from serving_gateway.tiers.online import OnlineTier
from serving_gateway.use_ledger import UseLedger
from serving_gateway.version_choice import VersionChoice
from serving_gateway.write_back import WriteBack

_VITAL_SIGNS_SECONDS = 0.5
# Its digest is read, and then by Feast features, entities and services, one after the other.
_ANSWERS_PER_CATALOG = 4

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Connections:
    """
    What has been opened.

    Attributes:
        client: Of Redis, for other commands than the tiers' reads.
        pool: Connections to PostgreSQL.
        computing: Where values are computed.
    """

    client: AsyncClient
    pool: Pool
    computing: Computing


@dataclass(frozen=True)
class Resources:
    """
    The parts that requests need, and those that are looked after from start to end.

    Attributes:
        background: What runs beside requests until the end.
    """

    settings: Settings
    pool: Pool
    store: FeatureStore
    catalog: CatalogCache
    instruments: Instruments
    online: OnlineTier | ClusteredOnlineTier
    invalidator: Invalidator
    defaults: Defaults
    write_back: WriteBack
    journals: Sequence[Journal]
    uses: UseLedger
    rules: RulesCache
    rules_watch: RulesWatch
    digest: LogDigest
    background: Sequence[Work]


class Watchers(NamedTuple):
    """What takes note of readings, and what that needs."""

    observers: Sequence[Observer]
    exposures: Exposures
    journals: Sequence[Journal]
    uses: UseLedger
    background: Sequence[Work]


def resources_of(request: Request) -> Resources:
    """Return the resources of the application that handles a request."""
    resources: Resources = request.app.state.resources
    return resources


def build_resources(
    settings: Settings,
    instruments: Instruments,
    read_catalog: Callable[[], Catalog],
    connections: Connections,
) -> Resources:
    """Put the parts together; nothing runs yet."""
    pool = connections.pool
    digest, lag = LogDigest(), LoopLag()
    catalog = _catalog_cache(settings, read_catalog)
    write_back = WriteBack(settings, pool, instruments, digest)
    guards = _guards(settings, lag, instruments, digest)
    chain = build_chain(
        settings,
        pool=pool,
        catalog=catalog,
        computing=connections.computing,
        write_back=write_back,
        guards=guards,
        instruments=instruments,
        digest=digest,
    )
    rules = RulesCache(settings.serving_rules)
    rules_watch = RulesWatch(
        rules,
        catalog,
        RulesInstruments(instruments.metrics),
        interval=timedelta(seconds=settings.serving_rules_refresh_seconds),
    )
    watchers = _watchers(settings, instruments, pool, catalog, rules, chain, digest)
    versions, defaults = VersionChoice(catalog, rules, digest), Defaults(pool, catalog)
    flights = (chain.offline.flights, chain.on_demand.flights)
    invalidator = Invalidator(settings, pool, connections.client, catalog, flights)
    return Resources(
        settings=settings,
        pool=pool,
        store=FeatureStore(
            settings,
            catalog,
            versions,
            chain,
            defaults,
            watchers.observers,
            watchers.exposures,
            lag,
        ),
        catalog=catalog,
        instruments=instruments,
        online=chain.online,
        invalidator=invalidator,
        defaults=defaults,
        write_back=write_back,
        journals=watchers.journals,
        uses=watchers.uses,
        rules=rules,
        rules_watch=rules_watch,
        digest=digest,
        background=(
            catalog.refresh_forever,
            rules_watch.run,
            defaults.refresh_forever,
            digest.flush_forever,
            lag.watch,
            guards.probe_forever,
            _vital_signs(instruments, catalog, lag),
            write_back.run,
            invalidator.watch,
            *watchers.background,
        ),
    )


def _catalog_cache(settings: Settings, read_catalog: Callable[[], Catalog]) -> CatalogCache:
    return CatalogCache(
        read_catalog,
        interval=timedelta(seconds=settings.catalog_refresh_seconds),
        limit=timedelta(seconds=_ANSWERS_PER_CATALOG * settings.registry_timeout_seconds),
    )


def _watchers(
    settings: Settings,
    instruments: Instruments,
    pool: Pool,
    catalog: CatalogCache,
    rules: RulesCache,
    chain: Chain,
    digest: LogDigest,
) -> Watchers:
    shadows = Shadows(
        rules,
        catalog,
        stored=(chain.online, chain.offline),
        computed=(chain.on_demand,),
        instruments=ShadowInstruments(instruments.registry),
        digest=digest,
    )
    uses = UseLedger(pool, digest)
    sample = ServedSample(settings, instruments, digest)
    exposures = Exposures(settings, ExposureInstruments(instruments.metrics), digest)
    journals = [journal for journal in (sample.journal, exposures.journal) if journal is not None]
    return Watchers(
        observers=(
            instruments.readings,
            StalenessSample(instruments.readings),
            ReadingLog(digest),
            uses,
            shadows,
            sample,
        ),
        exposures=exposures,
        journals=journals,
        uses=uses,
        background=(uses.run, *(each.run for each in journals), *[shadows.run] * READERS),
    )


def _guards(
    settings: Settings, lag: LoopLag, instruments: Instruments, digest: LogDigest
) -> Guards:
    policy = GuardPolicy(
        failures=settings.breaker_failures,
        failing_seconds=settings.breaker_failing_seconds,
        recovery_seconds=settings.breaker_recovery_seconds,
    )
    return Guards(policy, lag, instruments, digest)


def _vital_signs(instruments: Instruments, catalog: CatalogCache, lag: LoopLag) -> Work:
    async def record_vital_signs() -> None:
        while True:
            instruments.record_vital_signs(
                catalog_age_seconds=catalog.age_seconds(), lag_seconds=lag.seconds
            )
            await asyncio.sleep(_VITAL_SIGNS_SECONDS)

    return record_vital_signs
