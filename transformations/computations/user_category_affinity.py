"""Which categories each user is drawn to."""

from datetime import datetime

import ibis
import ibis.expr.types as ir
from ibis import _

from transformations.computations.decay import event_weight, events_within, instant, rounded

# A user's affinities depend on the events of the user, and on what all users have alike.
FILTERABLE = ("events", "users")


def compute(
    *,
    events: ir.Table,
    products: ir.Table,
    users: ir.Table,
    category_popularity: ir.Table,
    as_of: datetime,
    window_days: float,
    half_life_days: float,
    min_interactions: float,
) -> ir.Table:
    """
    Weigh each user's categories by their decayed interactions, relative to the strongest.

    Args:
        events: user_id, product_id, event_type, event_timestamp; one row an event.
        products: product_id, category; events of products without a category don't count.
        users: user_id, created_at.
        category_popularity: category, feature_value [0, 1].
        as_of: Aware instant of the answer; later events and users don't count.
        window_days: Length of the window that ends at `as_of`.
        half_life_days: Age at which an interaction weighs half.
        min_interactions: A user of fewer has the popularity of the categories among all users.

    Returns:
        user_id, map_keys [category], map_values [0, 1]; one row a user created at or before
        `as_of`, or none at all while no category has a popularity.
    """
    recent = events_within(events, as_of=as_of, window_days=window_days)
    weighted = recent.mutate(
        weight=event_weight(recent, as_of=as_of, half_life_days=half_life_days)
    ).join(products.filter(products.category.notnull()), "product_id")
    by_user = weighted.group_by("user_id", "category").aggregate(
        total=_.weight.sum(), interactions=_.count()
    )
    everyone = category_popularity.aggregate(
        everyones_keys=_.category.collect(order_by=_.category),
        everyones_values=_.feature_value.collect(order_by=_.category),
    )
    own = _warm_users(by_user, min_interactions)
    existing = users.filter(users.created_at <= instant(as_of)).select("user_id")
    joined = existing.left_join(own, "user_id").cross_join(
        # Without events it is null in one engine, empty in another.
        everyone.filter(everyone.everyones_keys.length() > 0)
    )
    return joined.select(
        "user_id",
        map_keys=ibis.coalesce(joined.own_keys, joined.everyones_keys),
        map_values=ibis.coalesce(joined.own_values, joined.everyones_values),
    )


def _warm_users(by_user: ir.Table, min_interactions: float) -> ir.Table:
    """Return the affinities of the users who have enough interactions to tell."""
    per_user = ibis.window(group_by="user_id")
    return (
        by_user.mutate(
            affinity=rounded(_.total / _.total.max().over(per_user)),
            user_interactions=_.interactions.sum().over(per_user),
        )
        .filter(_.user_interactions >= min_interactions)
        .group_by("user_id")
        .aggregate(
            own_keys=_.category.collect(order_by=_.category),
            own_values=_.affinity.collect(order_by=_.category),
        )
    )
