"""search_semantic_score: how near a product's meaning is to a search."""

from datetime import UTC, datetime, timedelta

from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

VERSIONS = (
    FeatureVersion(
        feature_name="search_semantic_score",
        version="1.0.0",
        feature_type=FeatureType.FLOAT,
        description="Cosine of the embeddings of query and product; 0 where they oppose.",
        entity="product_query",
        join_keys=("product_id", "query"),
        computation="search_semantic_score",
        source=("products",),
        dependencies=("product_embedding==1.0.0",),
        owner="search",
        tags=("content", "model", "ranking_signal", "relevance"),
        # It takes the same model as product_embedding.
        status=Status.STAGED,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, tzinfo=UTC),
        default=0.0,
        valid_range=(0.0, 1.0),
        # As for search_keyword_score: nothing is stored, an answer may be reused.
        staleness_tolerance=timedelta(minutes=5),
        computation_frequency=None,
        history_interval=timedelta(days=1),
        serving_location=(),
    ),
)
