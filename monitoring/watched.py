"""Which feature versions must be fresh for everybody."""

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import FeatureVersion, Status

LIVE = (Status.ACTIVE, Status.DEPRECATED)


def watched_features(catalog: Catalog) -> list[FeatureVersion]:
    """Return the live versions that jobs compute; staged and on-demand ones may be absent."""
    return [
        feature
        for feature in catalog.features
        if feature.status in LIVE and feature.computation_frequency is not None
    ]
