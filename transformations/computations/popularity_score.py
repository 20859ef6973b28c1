"""How much shoppers want each product lately."""

from datetime import datetime

import ibis
import ibis.expr.types as ir
from ibis import _

from transformations.computations.decay import event_weight, events_within, instant, rounded


def compute(
    *,
    events: ir.Table,
    products: ir.Table,
    as_of: datetime,
    window_days: float,
    half_life_days: float,
    cold_start: float,
    min_views: float,
) -> ir.Table:
    """
    Score each product by its decayed, weighted events, relative to the highest.

    Args:
        events: product_id, event_type, event_timestamp; one row an event.
        products: product_id, created_at.
        as_of: Aware instant of the answer; later events and products don't count.
        window_days: Length of the window that ends at `as_of`.
        half_life_days: Age at which an event weighs half.
        cold_start: Score of a product of fewer than `min_views` events in the window.
        min_views: Number of events, of any type, from which a product has its real score.

    Returns:
        product_id, feature_value [0, 1]; one row a product created at or before `as_of`.
    """
    recent = events_within(events, as_of=as_of, window_days=window_days)
    weighted = recent.mutate(
        weight=event_weight(recent, as_of=as_of, half_life_days=half_life_days)
    )
    totals = weighted.group_by("product_id").aggregate(total=_.weight.sum(), event_count=_.count())
    relative = totals.mutate(relative=_.total / _.total.max().over(ibis.window()))
    existing = products.filter(products.created_at <= instant(as_of)).select("product_id")
    scored = existing.left_join(relative, "product_id")
    return scored.select(
        "product_id",
        feature_value=rounded(
            ibis.ifelse(scored.event_count >= min_views, scored.relative, cold_start).fill_null(
                cold_start
            )
        ),
    )
