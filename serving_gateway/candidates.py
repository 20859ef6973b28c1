"""Products that are to be ranked, for whom, and what of features is to be read for them; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.keys import escape
from foundation.errors import ContractViolation
from serving_gateway.answers import row_column
from serving_gateway.columns import Column, Vector

# What stands for the query of somebody who has its embedding only: no word, so no product matches.
_NO_WORDS = "?"


@dataclass(frozen=True)
class Candidates:
    """
    Products to be ranked, and for whom.

    Attributes:
        product_ids: The products.
        user_id: The user; None: nobody in particular.
        query: What was searched for; None: nothing.
        query_embedding: Its embedding; None: the model gives it.
    """

    product_ids: Sequence[str]
    user_id: str | None = None
    query: str | None = None
    query_embedding: Vector | None = None


def row_columns(
    features: Sequence[FeatureVersion], product_ids: Sequence[str], candidates: Candidates
) -> list[Column]:
    """
    Return what each feature contributes to the rows of the products.

    Args:
        features: Of products, users, queries, or pairs of them.
        product_ids: Distinct ones of the candidates.
        candidates: The user and the query.

    Raises:
        ContractViolation: A feature is of another entity.
    """
    escaped = list(map(escape, product_ids))
    query = candidates.query
    if query is None and candidates.query_embedding is not None:
        query = _NO_WORDS
    given = {"user_id": candidates.user_id, "query": query}
    constants = {name: escape(value) for name, value in given.items() if value is not None}
    columns = []
    for feature in features:
        _check_row_keys(feature, given)
        columns.append(row_column(feature, escaped, constants, candidates.query_embedding))
    return columns


def _check_row_keys(feature: FeatureVersion, given: Mapping[str, str | None]) -> None:
    others = set(feature.join_keys) - {"product_id", *given}
    if others:
        raise ContractViolation(
            f"{feature.reference} is of {', '.join(sorted(others))}, which rows of products lack",
            hint="Read it with POST /v1/features/batch.",
        )
