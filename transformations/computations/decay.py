"""Weights of events: by their type, and by their age."""

import math
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir

# A purchase says more about what shoppers want than a look.
EVENT_WEIGHTS = {"view": 1.0, "add_to_cart": 2.0, "purchase": 3.0}
_SECONDS_PER_DAY = 86_400.0
# Engines add up floats in different orders; what differs lies far below this many decimals.
_DECIMALS = 12


def instant(as_of: datetime) -> ir.TimestampScalar:
    """Return an aware instant as a literal."""
    return ibis.literal(as_of, type="timestamp('UTC')")


def events_within(events: ir.Table, *, as_of: datetime, window_days: float) -> ir.Table:
    """Return the events in the half-open window (as_of - window_days, as_of]."""
    start = as_of - timedelta(days=window_days)
    timestamp = events.event_timestamp
    return events.filter(timestamp > instant(start), timestamp <= instant(as_of))


def age_days(timestamp: ir.TimestampColumn, *, as_of: datetime) -> ir.FloatingColumn:
    """Return how long before `as_of` each timestamp lies, in days."""
    seconds = as_of.timestamp() - timestamp.epoch_seconds().cast("float64")
    return seconds / _SECONDS_PER_DAY


def half_lives(age: ir.FloatingColumn, *, half_life_days: float) -> ir.FloatingColumn:
    """Return 2^(-age / half_life_days): 1 at age 0, 0.5 at one half-life."""
    return (age * (-math.log(2.0) / half_life_days)).exp()


def event_weight(events: ir.Table, *, as_of: datetime, half_life_days: float) -> ir.FloatingColumn:
    """Return each event's weight: that of its type, decayed by its age."""
    by_type = ibis.cases(
        *((events.event_type == name, weight) for name, weight in EVENT_WEIGHTS.items()),
        else_=0.0,
    )
    age = age_days(events.event_timestamp, as_of=as_of)
    return by_type.cast("float64") * half_lives(age, half_life_days=half_life_days)


def rounded(value: ir.FloatingColumn) -> ir.FloatingColumn:
    """Round away what depends on the order of summation."""
    return value.round(_DECIMALS).cast("float64")
