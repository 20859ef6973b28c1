"""How active each user is."""

from datetime import datetime

import ibis
import ibis.expr.types as ir
from ibis import _

from transformations.computations.decay import events_within, instant, rounded


def compute(*, events: ir.Table, users: ir.Table, as_of: datetime, window_days: float) -> ir.Table:
    """
    Count each user's events, relative to the most active user's.

    Args:
        events: user_id, event_timestamp; one row an event.
        users: user_id, created_at.
        as_of: Aware instant of the answer; later events and users don't count.
        window_days: Length of the window that ends at `as_of`.

    Returns:
        user_id, feature_value [0, 1], 0 without events; one row a user created at or before
        `as_of`.
    """
    recent = events_within(events, as_of=as_of, window_days=window_days)
    counts = recent.group_by("user_id").aggregate(event_count=_.count())
    relative = counts.mutate(
        relative=_.event_count.cast("float64") / _.event_count.max().over(ibis.window())
    )
    existing = users.filter(users.created_at <= instant(as_of)).select("user_id")
    joined = existing.left_join(relative, "user_id")
    return joined.select("user_id", feature_value=rounded(joined.relative.fill_null(0.0)))
