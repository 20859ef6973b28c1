"""product_freshness_score: how new a product is."""

from datetime import UTC, datetime, timedelta

from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

VERSIONS = (
    FeatureVersion(
        feature_name="product_freshness_score",
        version="1.0.0",
        feature_type=FeatureType.FLOAT,
        description="1 when a product enters the catalog, halving every 30 days.",
        entity="product",
        join_keys=("product_id",),
        computation="product_freshness_score",
        parameters={"half_life_days": 30.0},
        source=("products",),
        owner="search",
        tags=("content", "ranking_signal"),
        status=Status.ACTIVE,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, tzinfo=UTC),
        default=None,
        valid_range=(0.0, 1.0),
        staleness_tolerance=timedelta(hours=1),
        computation_frequency=timedelta(hours=1),
        history_interval=timedelta(days=1),
    ),
)
