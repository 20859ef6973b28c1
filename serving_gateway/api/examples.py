"""Requests to learn from, as the documentation under /docs offers them."""

from typing import Any

Examples = dict[str, dict[str, Any]]

BATCH: Examples = {
    "values": {
        "summary": "Two features of two products",
        "value": {
            "entity_ids": ["prod_123", "prod_456"],
            "feature_names": ["popularity_score", "product_freshness_score"],
        },
    },
    "metadata": {
        "summary": "And where each value comes from",
        "value": {
            "entity_ids": ["prod_123"],
            "feature_names": ["popularity_score"],
            "metadata": True,
        },
    },
    "versions": {
        "summary": "The newest 1.x of all features, and one exactly",
        "value": {
            "entity_ids": ["prod_123"],
            "feature_names": ["popularity_score", "product_freshness_score"],
            "version": "^1",
            "versions": {"popularity_score": "1.0.0"},
        },
    },
    "experiments": {
        "summary": "What a user's experiments say",
        "value": {
            "entity_ids": ["prod_123"],
            "feature_names": ["popularity_score"],
            "user_id": "user_456",
        },
    },
    "pairs": {
        "summary": "A feature of pairs: join keys in declared order, with ':' between",
        "value": {
            "entity_ids": ["user_456:prod_123", "user_456:prod_456"],
            "feature_names": ["user_product_affinity"],
        },
    },
}

SERVICE: Examples = {
    "ranking": {
        "summary": "Candidates for a user who searches",
        "value": {
            "product_ids": ["prod_123", "prod_456"],
            "user_id": "user_456",
            "query": "organic milk",
        },
    },
    "nobody": {
        "summary": "Candidates for nobody in particular: defaults stand for what is a user's",
        "value": {"product_ids": ["prod_123", "prod_456"]},
    },
    "metadata": {
        "summary": "And where each value comes from",
        "value": {"product_ids": ["prod_123"], "user_id": "user_456", "metadata": True},
    },
}

FEAST: Examples = {
    "features": {
        "summary": "Features of products and of users, a row each",
        "value": {
            "entities": {
                "product_id": ["prod_123", "prod_456"],
                "user_id": ["user_456", "user_456"],
            },
            "features": [
                "popularity_score_v1_0_0:popularity_score",
                "user_category_affinity_v1_0_0:user_category_affinity",
            ],
        },
    },
    "versions": {
        "summary": "Two versions of one feature",
        "value": {
            "entities": {"product_id": ["prod_123"]},
            "features": [
                "popularity_score_v1_0_0:popularity_score",
                "popularity_score_v1_1_0:popularity_score",
            ],
            "full_feature_names": True,
        },
    },
    "service": {
        "summary": "A feature service",
        "value": {
            "entities": {"product_id": ["prod_123"], "user_id": ["user_456"]},
            "feature_service": "recommendation_v1",
        },
    },
}

INVALIDATION: Examples = {
    "feature": {
        "summary": "All values of a feature",
        "value": {"feature_name": "product_freshness_score"},
    },
    "entity": {
        "summary": "All values of a product that has changed, and of its pairs with a user",
        "value": {"entity_ids": ["prod_123", "user_456:prod_123"]},
    },
    "version": {
        "summary": "One version's value of one product",
        "value": {
            "feature_name": "popularity_score",
            "version": "1.1.0",
            "entity_ids": ["prod_123"],
        },
    },
}

FEATURE: dict[str, Any] = {
    "feature_name": "popularity_score",
    "version": "1.0.0",
    "feature_type": "float",
    "description": "Views, carts and purchases of the last 90 days, weighted 1, 2 and 3.",
    "entity": "product",
    "join_keys": ["product_id"],
    "computation": "popularity_score",
    "parameters": {"window_days": 90.0, "cold_start": 0.1},
    "source": ["events", "products"],
    "owner": "ranking",
    "status": "active",
    "created_at": "2026-11-01T00:00:00Z",
    "updated_at": "2026-11-01T00:00:00Z",
    "default": 0.1,
    "staleness_tolerance": "PT5M",
    "computation_frequency": "PT5M",
    "history_interval": "PT1H",
    "serving_location": ["redis", "postgres"],
    "dependencies": [],
    "valid_range": [0.0, 1.0],
}
METRICS = """\
# HELP feature_requests_total Values served, by the tier they came from.
# TYPE feature_requests_total counter
feature_requests_total{feature_name="popularity_score",served_from="online",version="1.0.0"} 1200.0
"""

FACTS: dict[str, Any] = {
    "feature_name": "popularity_score",
    "versions": [
        {
            "version": "1.0.0",
            "status": "active",
            "is_past_sunset": False,
            "made_from": ["events", "products"],
            "used_by": [
                {"what": "feature service search_v1", "owner": "search", "is_direct": True}
            ],
            "staleness_seconds": 95.2,
            "is_fresh": True,
            "published": {
                "as_of": "2026-11-23T12:00:00Z",
                "row_count": 92331,
                "distribution": {
                    "edges": [0.0, 0.2, 0.9],
                    "shares": [0.0, 0.7, 0.2, 0.1],
                    "mean": 0.18,
                    "count": 92331,
                },
            },
            "last_runs": [],
        }
    ],
}
