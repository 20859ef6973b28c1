"""How much shoppers want each category lately."""

from datetime import datetime

import ibis
import ibis.expr.types as ir
from ibis import _

from transformations.computations.decay import event_weight, events_within, rounded


def compute(
    *,
    events: ir.Table,
    products: ir.Table,
    as_of: datetime,
    window_days: float,
    half_life_days: float,
) -> ir.Table:
    """
    Weigh each category by everyone's decayed interactions, relative to the strongest.

    Args:
        events: product_id, event_type, event_timestamp; one row an event.
        products: product_id, category; events of products without a category don't count.
        as_of: Aware instant of the answer; later events don't count.
        window_days: Length of the window that ends at `as_of`.
        half_life_days: Age at which an interaction weighs half.

    Returns:
        category, feature_value [0, 1]; one row a category that has an event in the window.
    """
    recent = events_within(events, as_of=as_of, window_days=window_days)
    by_product = (
        recent.mutate(weight=event_weight(recent, as_of=as_of, half_life_days=half_life_days))
        .group_by("product_id")
        .aggregate(total=_.weight.sum())
    )
    return (
        by_product.join(products.filter(products.category.notnull()), "product_id")
        .group_by("category")
        .aggregate(total=_.total.sum())
        .select("category", feature_value=rounded(_.total / _.total.max().over(ibis.window())))
    )
