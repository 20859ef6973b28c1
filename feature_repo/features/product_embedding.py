"""product_embedding: what a product's texts mean, as a vector."""

from datetime import UTC, datetime, timedelta

from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

VERSIONS = (
    FeatureVersion(
        feature_name="product_embedding",
        version="1.0.0",
        feature_type=FeatureType.VECTOR,
        vector_length=384,
        description="Embedding of title and description: products of like meaning lie near.",
        entity="product",
        join_keys=("product_id",),
        computation="product_embedding",
        source=("products",),
        owner="search",
        tags=("content", "model"),
        # It takes a model, which not everybody has: whoever does promotes it.
        status=Status.STAGED,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, tzinfo=UTC),
        default=None,
        staleness_tolerance=timedelta(days=7),
        computation_frequency=timedelta(days=7),
        history_interval=timedelta(days=7),
    ),
)
