"""user_product_affinity: how much a user is drawn to a product."""

from datetime import UTC, datetime, timedelta

from feature_repo.features.user_factors import EXPECTATIONS, PARAMETERS
from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

VERSIONS = (
    FeatureVersion(
        feature_name="user_product_affinity",
        version="1.0.0",
        feature_type=FeatureType.FLOAT,
        description=(
            "The dot product of the user's and the product's factors of implicit-feedback ALS: "
            "near 1 for products like those that the user often turns to, near 0 for others. "
            "Stored for each user's 50 products of the highest; those that the user has had count "
            "too."
        ),
        entity="user_product",
        join_keys=("user_id", "product_id"),
        job="collaborative_filtering",
        computation="collaborative_filtering",
        parameters=PARAMETERS,
        source=("events", "products"),
        dependencies=("user_factors==1.0.0", "product_factors==1.0.0"),
        owner="recommendation",
        tags=("behavior", "model", "personal", "ranking_signal"),
        status=Status.ACTIVE,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, tzinfo=UTC),
        default=None,
        # A fit to 0 and 1 overshoots somewhat; what lies further off is a model gone wrong.
        valid_range=(-3.0, 4.0),
        staleness_tolerance=timedelta(hours=24),
        computation_frequency=timedelta(days=1),
        history_interval=timedelta(days=1),
        expectations=EXPECTATIONS,
    ),
)
