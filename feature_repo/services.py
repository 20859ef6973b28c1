"""The sets of feature versions that the search, recommendation and ranking teams read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceDefinition:
    """
    A feature service by the references of its feature versions.

    A service names exact versions: which versions it serves changes only by a change of this file.
    A staged version may be named already; it joins the deployed service once it is active.
    """

    name: str
    description: str
    owner: str
    features: tuple[str, ...]


SERVICES = (
    ServiceDefinition(
        name="search_v1",
        description="Orders the products that match a query.",
        owner="search",
        features=(
            "popularity_score==1.0.0",
            "product_freshness_score==1.0.0",
            "search_keyword_score==1.0.0",
            "search_semantic_score==1.0.0",
        ),
    ),
    ServiceDefinition(
        name="recommendation_v1",
        description="Finds products a user may like, without a query.",
        owner="recommendation",
        features=(
            "popularity_score==1.0.0",
            "user_category_affinity==1.0.0",
            "user_product_affinity==1.0.0",
        ),
    ),
    ServiceDefinition(
        name="ranking_v1",
        description="Everything the ranking formula weighs for a batch of candidate products.",
        owner="ranking",
        features=(
            "popularity_score==1.0.0",
            "product_freshness_score==1.0.0",
            "search_keyword_score==1.0.0",
            "search_semantic_score==1.0.0",
            "user_category_affinity==1.0.0",
            "user_product_affinity==1.0.0",
        ),
    ),
)
