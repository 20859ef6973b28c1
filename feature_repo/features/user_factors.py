"""user_factors: the taste of a user, as learnt by collaborative filtering."""

from datetime import UTC, datetime, timedelta

from feature_repo.registry.expectations import Expectations
from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

# Of one model, which gives product_factors and user_product_affinity too.
FACTOR_COUNT = 64
PARAMETERS = {
    "window_days": 365.0,
    "half_life_days": 30.0,
    "min_interactions": 5.0,
    "factors": float(FACTOR_COUNT),
    "regularization": 0.5,
    "iterations": 10.0,
    "top_count": 50.0,
    "held_out_days": 30.0,
    "min_tested_users": 50.0,
}
# From week to week it moves by up to 4 %.
EXPECTATIONS = Expectations(min_metric_ratios={"ndcg_at_20": 0.9})

VERSIONS = (
    FeatureVersion(
        feature_name="user_factors",
        version="1.0.0",
        feature_type=FeatureType.VECTOR,
        vector_length=FACTOR_COUNT,
        description=(
            "The user's factors of implicit-feedback ALS; their dot product with a product's "
            "factors is the user's affinity to it. Users of fewer than 5 interactions have none."
        ),
        entity="user",
        join_keys=("user_id",),
        job="collaborative_filtering",
        computation="collaborative_filtering",
        parameters=PARAMETERS,
        source=("events", "products"),
        owner="recommendation",
        tags=("behavior", "model", "personal"),
        status=Status.ACTIVE,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, tzinfo=UTC),
        default=None,
        valid_range=(-10.0, 10.0),
        staleness_tolerance=timedelta(hours=24),
        computation_frequency=timedelta(days=1),
        history_interval=timedelta(days=1),
        expectations=EXPECTATIONS,
    ),
)
