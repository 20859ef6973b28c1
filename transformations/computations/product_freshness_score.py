"""How new each product is."""

from datetime import datetime

import ibis.expr.types as ir

from transformations.computations.decay import age_days, half_lives, instant, rounded

# A product's score depends on its own row only.
FILTERABLE = ("products",)


def compute(*, products: ir.Table, as_of: datetime, half_life_days: float) -> ir.Table:
    """
    Score each product by the time since it was created.

    Args:
        products: product_id, created_at.
        as_of: Aware instant of the answer; products created later don't exist yet.
        half_life_days: Age at which the score is 0.5.

    Returns:
        product_id, feature_value (0, 1]; one row a product created at or before `as_of`.
    """
    existing = products.filter(products.created_at <= instant(as_of))
    age = age_days(existing.created_at, as_of=as_of)
    return existing.select(
        "product_id", feature_value=rounded(half_lives(age, half_life_days=half_life_days))
    )
