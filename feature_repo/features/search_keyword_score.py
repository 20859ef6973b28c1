"""search_keyword_score: how well a product's words match a search."""

from datetime import UTC, datetime, timedelta

from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

VERSIONS = (
    FeatureVersion(
        feature_name="search_keyword_score",
        version="1.0.0",
        feature_type=FeatureType.FLOAT,
        description=(
            "Full-text relevance of a product's title and description for a query, the title "
            "weighing more: 0 without a match of all words, below 1."
        ),
        entity="product_query",
        join_keys=("product_id", "query"),
        computation="search_keyword_score",
        source=("products",),
        owner="search",
        tags=("content", "ranking_signal", "relevance"),
        status=Status.ACTIVE,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, tzinfo=UTC),
        default=0.0,
        valid_range=(0.0, 1.0),
        # Shoppers type more queries than any store can hold an answer to for every product:
        # nothing is stored, and the tolerance says how long an answer may be reused.
        staleness_tolerance=timedelta(minutes=5),
        computation_frequency=None,
        history_interval=timedelta(days=1),
        serving_location=(),
    ),
)
