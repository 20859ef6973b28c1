"""Features of every type."""

from datetime import UTC, datetime, timedelta
from typing import Any

from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status


def make_feature(feature_name: str, feature_type: FeatureType, **changes: Any) -> FeatureVersion:  # noqa: ANN401 - any field
    """Return a product feature with a staleness tolerance of an hour."""
    fields = {
        "feature_name": feature_name,
        "version": "1.0.0",
        "feature_type": feature_type,
        "description": "A test.",
        "entity": "product",
        "join_keys": ("product_id",),
        "computation": "test",
        "source": ("events",),
        "owner": "search",
        "status": Status.ACTIVE,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
        "default": None,
        "staleness_tolerance": timedelta(hours=1),
        "computation_frequency": timedelta(hours=1),
        "history_interval": timedelta(days=1),
    }
    return FeatureVersion.model_validate({**fields, **changes})
