"""
How much shoppers want each product lately.

The computation is two steps, so that a job need not add up the whole window each time: `totals` of
any interval, which can be added to and subtracted from each other, and `scores` of the sum.
"""

from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir
from ibis import _

from transformations.computations.decay import event_weight, instant, rounded


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
    in_window = totals(
        events=events,
        start=as_of - timedelta(days=window_days),
        end=as_of,
        reference=as_of,
        half_life_days=half_life_days,
    )
    return scores(
        in_window, products=products, as_of=as_of, cold_start=cold_start, min_views=min_views
    )


def totals(
    *,
    events: ir.Table,
    start: datetime,
    end: datetime,
    reference: datetime,
    half_life_days: float,
) -> ir.Table:
    """
    Add up the weights of each product's events.

    Args:
        events: product_id, event_type, event_timestamp; one row an event.
        start: Events at or before this instant don't count.
        end: Events after this instant don't count.
        reference: Instant that weights are decayed to. The scores don't depend on it.
        half_life_days: Age at which an event weighs half.

    Returns:
        product_id, total, event_count; one row a product that has an event in (start, end].
    """
    within = events.filter(
        events.event_timestamp > instant(start), events.event_timestamp <= instant(end)
    )
    weighted = within.mutate(
        weight=event_weight(within, as_of=reference, half_life_days=half_life_days)
    )
    return weighted.group_by("product_id").aggregate(total=_.weight.sum(), event_count=_.count())


def scores(
    in_window: ir.Table,
    *,
    products: ir.Table,
    as_of: datetime,
    cold_start: float,
    min_views: float,
) -> ir.Table:
    """Score each product by its total in the window; see `compute`."""
    relative = in_window.mutate(relative=_.total / _.total.max().over(ibis.window()))
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
