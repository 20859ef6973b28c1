"""product_factors: whose taste a product meets, as learnt by collaborative filtering."""

from datetime import UTC, datetime, timedelta

from feature_repo.features.user_factors import EXPECTATIONS, FACTOR_COUNT, PARAMETERS
from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

VERSIONS = (
    FeatureVersion(
        feature_name="product_factors",
        version="1.0.0",
        feature_type=FeatureType.VECTOR,
        vector_length=FACTOR_COUNT,
        description=(
            "The product's factors of implicit-feedback ALS; their dot product with a user's "
            "factors is the user's affinity to it. Products of fewer than 5 interactions have none."
        ),
        entity="product",
        join_keys=("product_id",),
        job="collaborative_filtering",
        computation="collaborative_filtering",
        parameters=PARAMETERS,
        source=("events", "products"),
        owner="recommendation",
        tags=("behavior", "model"),
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
