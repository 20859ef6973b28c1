"""The sets of feature versions that the search, recommendation and ranking teams read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceDefinition:
    """
    A feature service by the references of its feature versions.

    A service names exact versions: what it serves changes only by a change of this file.
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
        features=("popularity_score==1.0.0", "product_freshness_score==1.0.0"),
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
            "user_category_affinity==1.0.0",
            "user_product_affinity==1.0.0",
        ),
    ),
)
