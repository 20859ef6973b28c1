"""
Remove values by hand, or because what they are made from has changed.

Whoever asks next gets what PostgreSQL has, or what is computed. Of a feature that can be computed
for a request, PostgreSQL's value of the named entities goes too: it would be served instead.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.redis_errors import translated_errors
from feature_repo.stores.redis_values import delete_keys, delete_values
from foundation.errors import DefinitionError, LimitExceeded, StoreUnavailable
from foundation.postgres import Pool
from foundation.redis import AsyncClient, connect
from foundation.settings import Settings
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.columns import Column, canonical_ids
from serving_gateway.tiers.flights import Flights
from transformations.on_demand import is_computable

# Counts invalidations, so that every process of every gateway learns of them.
_COUNTER = "feature_store:invalidations"
_SECONDS_BETWEEN_LOOKS = 0.5
_LONGEST_DELETION_SECONDS = 5.0

_DELETE_LATEST = """
DELETE FROM feature_latest WHERE feature_name = %s AND version = %s AND entity_id = ANY(%s)
"""


@dataclass(frozen=True)
class Invalidation:
    """
    What is to be removed.

    Attributes:
        feature_name: Of this feature; None: of all.
        version: Of this version; None: of all.
        entity_ids: Of these entities, as callers write them; None: of all.
    """

    feature_name: str | None
    version: str | None
    entity_ids: Sequence[str] | None


@dataclass(frozen=True)
class Removed:
    """How many values were removed from each store."""

    online: int
    offline: int


class Invalidator:
    """
    Removes values, and lets every gateway process forget what it took for absent.

    Args:
        settings: Say where Redis is, and how many entities a request may name.
        pool: Connections to PostgreSQL.
        client: Of Redis, for looks at what other processes did.
        catalog: Says which features there are.
        flights: What remembers absent values in this process.
    """

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        client: AsyncClient,
        catalog: CatalogCache,
        flights: Sequence[Flights],
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._client = client
        self._catalog = catalog
        self._flights = flights
        self._last_count: bytes | None = None

    async def invalidate(self, what: Invalidation) -> Removed:
        """
        Remove values, in steps that let other commands through.

        PostgreSQL's go first: else a reader might bring one back to Redis.

        Raises:
            LimitExceeded: It names more entities than a request may.
            UnknownFeature: The feature is not deployed.
            UnknownVersion: It has no such version.
            StoreUnavailable: A store can't be reached, or refuses; some values may have been
                removed.
        """
        limit = self._settings.max_request_entities
        if what.entity_ids is not None and len(what.entity_ids) > limit:
            raise LimitExceeded(
                f"the request names {len(what.entity_ids)} entities, {limit} are allowed",
                hint=f"Split it into requests of at most {limit} entities.",
            )
        features = _features(self._catalog.current, what)
        offline = 0
        if what.entity_ids is not None:
            offline = await self._delete_computable(features, what.entity_ids)
        online = await asyncio.to_thread(_delete_online, self._settings, features, what.entity_ids)
        self._forget_absent()
        return Removed(online, offline)

    async def watch(self) -> None:
        """Forget what was taken for absent whenever some process has invalidated, for ever."""
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            try:
                with translated_errors():
                    count: bytes | None = await self._client.get(_COUNTER)
            except StoreUnavailable:
                continue
            if count != self._last_count:
                self._last_count = count
                self._forget_absent()

    def _forget_absent(self) -> None:
        for each in self._flights:
            each.forget_absent()

    async def _delete_computable(
        self, features: Sequence[FeatureVersion], entity_ids: Sequence[str]
    ) -> int:
        """Remove from PostgreSQL what would be computed if it were not there."""
        removed = 0
        try:
            async with asyncio.timeout(_LONGEST_DELETION_SECONDS):
                for feature in filter(_is_stored_and_computable, features):
                    ids = [i for i in _fitting(feature, entity_ids) if "\0" not in i]
                    async with self._pool.connection() as connection:
                        parameters = (feature.feature_name, feature.version, ids)
                        removed += (await connection.execute(_DELETE_LATEST, parameters)).rowcount
        except (psycopg.Error, TimeoutError) as error:
            raise StoreUnavailable(
                f"PostgreSQL: {str(error).strip() or 'no answer in time'}"
            ) from error
        return removed


def _delete_online(
    settings: Settings, features: Sequence[FeatureVersion], entity_ids: Sequence[str] | None
) -> int:
    client = connect(settings)
    try:
        if entity_ids is None:
            removed = sum(delete_values(client, f.feature_name, f.version) for f in features)
        else:
            keys = [
                key
                for feature in features
                for key in Column(feature, _fitting(feature, entity_ids)).keys().spelt_out()
            ]
            removed = delete_keys(client, keys)
        with translated_errors():
            client.incr(_COUNTER)
    finally:
        client.close()
    return removed


def _features(catalog: Catalog, what: Invalidation) -> list[FeatureVersion]:
    if what.feature_name is None:
        candidates = list(catalog.features)
    else:
        candidates = list(catalog.versions(what.feature_name))
    if what.version is None:
        return candidates
    found = [feature for feature in candidates if feature.version == what.version]
    if not found and what.feature_name is not None:
        catalog.select(what.feature_name, what.version)  # says which versions there are
    return found


def _is_stored_and_computable(feature: FeatureVersion) -> bool:
    try:
        return "postgres" in feature.serving_location and is_computable(feature)
    except DefinitionError:  # deployed from newer code: nobody here could compute it
        return False


def _fitting(feature: FeatureVersion, entity_ids: Sequence[str]) -> Sequence[str]:
    """Return, as stores know them, those ids that have as many parts as the feature's entity."""
    parts = len(feature.join_keys)
    return canonical_ids(
        feature, [i for i in entity_ids if parts == 1 or i.count(":") + 1 == parts]
    )
