"""How much shoppers view, cart and buy each product lately."""

from datetime import datetime

import ibis
import ibis.expr.types as ir

from transformations.computations.decay import (
    EVENT_WEIGHTS,
    age_days,
    events_within,
    half_lives,
    instant,
    rounded,
)


def compute(
    *,
    events: ir.Table,
    products: ir.Table,
    as_of: datetime,
    window_days: float,
    half_life_days: float,
) -> ir.Table:
    """
    Score each product by its decayed events of each type, relative to the highest of that type.

    Args:
        events: product_id, event_type, event_timestamp; one row an event.
        products: product_id, created_at.
        as_of: Aware instant of the answer; later events and products don't count.
        window_days: Length of the window that ends at `as_of`.
        half_life_days: Age at which an event weighs half.

    Returns:
        product_id, map_keys (every event type), map_values [0, 1]; one row a product created at or
        before `as_of`.
    """
    recent = events_within(events, as_of=as_of, window_days=window_days)
    age = age_days(recent.event_timestamp, as_of=as_of)
    weight = half_lives(age, half_life_days=half_life_days)
    totals = recent.group_by("product_id").aggregate(
        **{name: weight.sum(where=recent.event_type == name) for name in EVENT_WEIGHTS}
    )
    everyone = ibis.window()
    relative = totals.select(
        "product_id",
        **{name: totals[name] / totals[name].max().over(everyone) for name in EVENT_WEIGHTS},
    )
    existing = products.filter(products.created_at <= instant(as_of)).select("product_id")
    scored = existing.left_join(relative, "product_id")
    return scored.select(
        "product_id",
        map_keys=ibis.array([ibis.literal(name) for name in EVENT_WEIGHTS]),
        map_values=ibis.array([rounded(scored[name].fill_null(0.0)) for name in EVENT_WEIGHTS]),
    )
