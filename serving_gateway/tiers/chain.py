"""The tiers, put together."""

from typing import NamedTuple

from foundation.postgres import Pool
from foundation.redis import cluster_map, serving_client
from foundation.redis_pipeline import PipelinedReads
from foundation.settings import Settings
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.tiers.clustered import ClusteredOnlineTier
from serving_gateway.tiers.computing import Computing
from serving_gateway.tiers.guard import Guards
from serving_gateway.tiers.offline import OfflineTier
from serving_gateway.tiers.on_demand import OnDemandTier
from serving_gateway.tiers.online import OnlineTier
from serving_gateway.tiers.soundness import SoundTexts
from serving_gateway.write_back import WriteBack

# A read that has lost its budget may still end well for the next who asks, but not for ever.
_BUDGETS_PER_FLIGHT = 10


class Chain(NamedTuple):
    """The tiers, in the order in which they are asked."""

    online: OnlineTier | ClusteredOnlineTier
    offline: OfflineTier
    on_demand: OnDemandTier


def build_chain(
    settings: Settings,
    *,
    pool: Pool,
    catalog: CatalogCache,
    computing: Computing,
    write_back: WriteBack,
    guards: Guards,
    instruments: Instruments,
    digest: LogDigest,
) -> Chain:
    """
    Return the tiers of a gateway.

    Args:
        settings: Say where Redis is, and their limits.
        pool: Connections to PostgreSQL.
        catalog: Says what features are computed from.
        computing: Where values are computed.
        write_back: Takes what is found to the stores.
        guards: Gives each tier its guard.
        instruments: Count what is no value.
        digest: Logs it.
    """
    of_postgres = guards.make(OfflineTier.name, settings.postgres_timeout_seconds)
    return Chain(
        _online_tier(settings, guards, SoundTexts(OnlineTier.name, instruments, digest)),
        OfflineTier(
            pool,
            guard=of_postgres,
            sound=SoundTexts(OfflineTier.name, instruments, digest),
            write_back=write_back,
            absent_seconds=settings.absent_seconds,
            limit_seconds=settings.postgres_timeout_seconds * _BUDGETS_PER_FLIGHT,
        ),
        OnDemandTier(
            pool,
            catalog,
            computing,
            make_guard=lambda name, is_in_use: guards.make(
                name,
                settings.on_demand_timeout_seconds,
                behind=of_postgres,
                is_in_use=is_in_use,
            ),
            write_back=write_back,
            absent_seconds=settings.absent_seconds,
            limit_seconds=longest_computation_seconds(settings),
        ),
    )


def longest_computation_seconds(settings: Settings) -> float:
    """Return how long a computation may go on after who asked for it has left."""
    return settings.on_demand_timeout_seconds * _BUDGETS_PER_FLIGHT


def _online_tier(
    settings: Settings, guards: Guards, sound: SoundTexts
) -> OnlineTier | ClusteredOnlineTier:
    def of_node(name: str, reads: PipelinedReads) -> OnlineTier:
        return OnlineTier(
            reads,
            guard=guards.make(name, settings.redis_timeout_seconds),
            sound=sound,
        )

    if not settings.redis_cluster:
        return of_node(OnlineTier.name, PipelinedReads(serving_client(settings)))
    return ClusteredOnlineTier(
        cluster_map(settings),
        make_node=lambda address, reads: of_node(
            f"{OnlineTier.name}:{address.host}:{address.port}", reads
        ),
        guard=guards.make(OnlineTier.name, settings.redis_timeout_seconds),
    )
