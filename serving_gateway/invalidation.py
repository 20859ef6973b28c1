"""Remove values from Redis by hand; whoever asks next gets those of PostgreSQL, or new ones."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.redis_values import delete_keys, delete_values
from foundation.redis import connect
from foundation.settings import Settings
from serving_gateway.columns import Column, canonical_ids


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


async def invalidate(settings: Settings, catalog: Catalog, what: Invalidation) -> int:
    """
    Remove values from Redis, in steps that let other commands through.

    Returns:
        Number of values removed.

    Raises:
        UnknownFeature: The feature is not deployed.
        UnknownVersion: It has no such version.
        StoreUnavailable: Redis can't be reached, or refuses; some values may have been removed.
    """
    return await asyncio.to_thread(_remove, settings, _features(catalog, what), what.entity_ids)


def _remove(
    settings: Settings, features: Sequence[FeatureVersion], entity_ids: Sequence[str] | None
) -> int:
    client = connect(settings)
    try:
        if entity_ids is None:
            return sum(delete_values(client, f.feature_name, f.version) for f in features)
        return delete_keys(client, [key for f in features for key in _keys(f, entity_ids)])
    finally:
        client.close()


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


def _keys(feature: FeatureVersion, entity_ids: Sequence[str]) -> list[str]:
    """Return the keys of those ids that have as many parts as the feature's entity."""
    parts = len(feature.join_keys)
    fitting = [i for i in entity_ids if parts == 1 or i.count(":") + 1 == parts]
    return Column(feature, canonical_ids(feature, fitting)).redis_keys() if fitting else []
