"""user_category_affinity: which categories a user is drawn to."""

from datetime import UTC, datetime, timedelta

from feature_repo.registry.alert_limits import AlertLimits
from feature_repo.registry.expectations import Expectations
from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

VERSIONS = (
    FeatureVersion(
        feature_name="user_category_affinity",
        version="1.0.0",
        feature_type=FeatureType.MAP,
        description=(
            "Per category, the user's weighted interactions of the last 90 days, halving every "
            "30 days, relative to the user's strongest category. A user of fewer than 5 "
            "interactions has the categories' popularity among all users."
        ),
        entity="user",
        join_keys=("user_id",),
        computation="user_category_affinity",
        parameters={"window_days": 90.0, "half_life_days": 30.0, "min_interactions": 5.0},
        source=("events", "products", "users"),
        dependencies=("category_popularity==1.0.0",),
        owner="recommendation",
        tags=("behavior", "personal", "ranking_signal"),
        status=Status.ACTIVE,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, tzinfo=UTC),
        default={},
        default_values_of="category_popularity==1.0.0",
        valid_range=(0.0, 1.0),
        staleness_tolerance=timedelta(hours=24),
        computation_frequency=timedelta(days=1),
        history_interval=timedelta(days=1),
        expectations=Expectations(max_null_shares={"products.category": 0.25}),
        # Visitors without a past are answered with everybody's categories, on purpose.
        alerts=AlertLimits(hit_rate=0.3, unavailable=0.7),
    ),
)
