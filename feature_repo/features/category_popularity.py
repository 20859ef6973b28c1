"""category_popularity: how much shoppers want a category lately."""

from datetime import UTC, datetime, timedelta

from feature_repo.registry.expectations import Expectations
from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

VERSIONS = (
    FeatureVersion(
        feature_name="category_popularity",
        version="1.0.0",
        feature_type=FeatureType.FLOAT,
        description=(
            "All users' weighted interactions with a category in the last 90 days, halving every "
            "30 days, relative to the most popular category."
        ),
        entity="category",
        join_keys=("category",),
        computation="category_popularity",
        parameters={"window_days": 90.0, "half_life_days": 30.0},
        source=("events", "products"),
        owner="recommendation",
        tags=("behavior", "cold_start"),
        status=Status.ACTIVE,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, tzinfo=UTC),
        default=None,
        valid_range=(0.0, 1.0),
        staleness_tolerance=timedelta(hours=24),
        computation_frequency=timedelta(days=1),
        history_interval=timedelta(days=1),
        expectations=Expectations(max_null_shares={"products.category": 0.25}),
    ),
)
