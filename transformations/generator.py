"""
A made-up shop of any size, for tests of scale: its products, users and events, chunk by chunk.

The same shop gives the same rows, however often it is asked. Products of lower numbers are more
popular (Zipf's law), users of lower numbers more active, and each user prefers a category. Users
come in sessions: they view products, put few of them into the cart, and purchase fewer still.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from foundation.errors import ConfigurationError

# What all ids begin with, so that generated rows are known wherever they are.
ID_PREFIX = "gen_"
CATEGORIES = (
    *("electronics", "fashion", "books", "home", "garden", "toys", "sports", "beauty", "grocery"),
    *("automotive", "music", "office", "pets", "health", "baby", "jewelry", "tools", "games"),
    *("shoes", "travel"),
)
EVENT_TYPES = ("view", "add_to_cart", "purchase")

_ROWS_PER_CHUNK = 250_000
_CART_SHARE = 0.2  # of views
_PURCHASE_SHARE = 0.35  # of carts
_NEW_SESSION_SHARE = 0.4  # of views; the others go on in the session before
_PREFERRED_SHARE = 0.5  # of views
_UNCATEGORISED_SHARE = 0.01  # of products
_ACTIVITY_SKEW = 2.0  # the most active 1 % of the users do a tenth of all
_PREFERENCE_SKEW = 2.0
_GOLDEN_RATIO = 0.618034  # its multiples fall evenly between whole numbers
_MEAN_PAUSE_US = 90_000_000
_PEAK_OF_DAY = 19 / 24
_DAILY_SWING = 0.8
_DAY_US = 86_400_000_000
_OLDEST_DAYS = 365  # of products and users, before the first event

Integers = np.ndarray[tuple[int], np.dtype[np.int64]]
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Shop:
    """
    How large a made-up shop is, and when its events happened.

    Attributes:
        users: Number of users; some have no events.
        products: Number of products.
        events: Number of events.
        days: Length of the time that the events spread over.
        seed: Another seed, another shop.
        until: Aware instant of the newest event.

    Raises:
        ConfigurationError: A number is too small, or until is naive.
    """

    users: int
    products: int
    events: int
    days: int
    seed: int
    until: datetime

    def __post_init__(self) -> None:
        for name, least in (("users", 1), ("products", 1), ("events", 1), ("days", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name}: {getattr(self, name)} is below {least}")
        if self.until.tzinfo is None:
            raise ConfigurationError(f"until: {self.until} has no time zone")

    def row_counts(self) -> dict[str, int]:
        """Return the number of rows by table name; products first, because events name them."""
        return {"products": self.products, "users": self.users, "events": self.events}


def generate(shop: Shop, table_name: str) -> Iterator[pa.Table]:
    """
    Yield the rows of a source table, chunk by chunk.

    Args:
        shop: Whose rows.
        table_name: products, users or events.

    Yields:
        The columns of the table; events almost in the order of their timestamps.
    """
    chunks = {"products": _products, "users": _users, "events": _events}[table_name]
    # Each has random numbers of its own: none changes when another table or chunk does.
    stream = ("products", "users", "events").index(table_name)
    total = shop.row_counts()[table_name]
    for chunk, first in enumerate(range(0, total, _ROWS_PER_CHUNK)):
        numbers = np.arange(first, min(first + _ROWS_PER_CHUNK, total))
        yield chunks(shop, numbers, np.random.default_rng([shop.seed, stream, chunk]))


def _products(shop: Shop, numbers: Integers, random: np.random.Generator) -> pa.Table:
    categories = pa.array(CATEGORIES).take(pa.array(numbers % len(CATEGORIES)))
    title = pc.binary_join_element_wise(categories, pc.cast(pa.array(numbers), pa.string()), " ")
    uncategorised = pa.array(random.random(len(numbers)) < _UNCATEGORISED_SHARE)
    created_at = _before_the_events(shop, len(numbers), random)
    return pa.table(
        {
            "product_id": _ids("prod", numbers),
            "title": title,
            "description": pc.binary_join_element_wise("Everything about", title, " "),
            "category": pc.if_else(uncategorised, pa.scalar(None, pa.string()), categories),
            "price": random.lognormal(3.0, 1.0, len(numbers)).round(2),
            "created_at": created_at,
            "updated_at": created_at,
        }
    )


def _users(shop: Shop, numbers: Integers, random: np.random.Generator) -> pa.Table:
    created_at = _before_the_events(shop, len(numbers), random)
    return pa.table({"user_id": _ids("user", numbers), "created_at": created_at})


def _events(shop: Shop, numbers: Integers, random: np.random.Generator) -> pa.Table:
    count = len(numbers)
    carts = random.random(count) < _CART_SHARE
    purchases = carts & (random.random(count) < _PURCHASE_SHARE)
    steps = 1 + carts + purchases  # events of each view
    steps = steps[: np.searchsorted(np.cumsum(steps), count) + 1]
    views = len(steps)
    session = np.cumsum(random.random(views) < _NEW_SESSION_SHARE, dtype=np.int64)
    sessions = int(session[-1]) + 1
    users = (shop.users * random.random(sessions) ** _ACTIVITY_SKEW).astype(np.int64)[session]
    products = _viewed_products(shop, users, random)
    view = np.repeat(np.arange(views), steps)
    step = np.arange(len(view)) - np.repeat(np.cumsum(steps) - steps, steps)
    starts = _session_starts(shop, sessions, numbers, random)
    times = starts[session[view]] + _since_session_start(session[view], random)
    # The few that go on beyond the end of time end there.
    times = np.minimum(times, _microseconds(shop.until))
    order = np.argsort(times, kind="stable")[:count]
    times = times[order]
    if numbers[-1] == shop.events - 1:
        times[-1] = _microseconds(shop.until)
    return pa.table(
        {
            "event_id": _ids("event", numbers, width=12),  # in order: kind to indexes
            "user_id": _ids("user", users[view[order]]),
            "product_id": _ids("prod", products[view[order]]),
            "event_type": pa.array(EVENT_TYPES).take(pa.array(step[order])),
            "event_timestamp": _timestamps(times),
        }
    )


def _viewed_products(shop: Shop, users: Integers, random: np.random.Generator) -> Integers:
    """Draw a product for each view; often one of the category that the user prefers."""
    popularity = np.cumsum(1.0 / np.arange(1, shop.products + 1))
    drawn = random.random(len(users)) * popularity[-1]
    products = np.minimum(np.searchsorted(popularity, drawn), shop.products - 1)
    preference = (users * _GOLDEN_RATIO % 1.0) ** _PREFERENCE_SKEW * len(CATEGORIES)
    preferred = products - products % len(CATEGORIES) + preference.astype(np.int64)
    switches = (random.random(len(users)) < _PREFERRED_SHARE) & (preferred < shop.products)
    viewed: Integers = np.where(switches, preferred, products)
    return viewed


def _session_starts(
    shop: Shop, count: int, numbers: Integers, random: np.random.Generator
) -> Integers:
    """Return when sessions start, ascending: in the chunk's share of the time, busy in evenings."""
    end = _microseconds(shop.until) / _DAY_US
    grid = np.linspace(end - shop.days, end, shop.days * 48 + 1)
    turn = 2 * np.pi
    # The integral of 1 + swing * cos(time since the peak).
    busy = grid + _DAILY_SWING / turn * np.sin(turn * (grid - _PEAK_OF_DAY))
    share = np.sort(random.uniform(numbers[0], numbers[-1] + 1, count)) / shop.events
    days = np.interp(busy[0] + share * (busy[-1] - busy[0]), busy, grid)
    # Later than the first instant, which a half-open window would leave out.
    starts: Integers = (days * _DAY_US).astype(np.int64) + 1
    return starts


def _since_session_start(session: Integers, random: np.random.Generator) -> Integers:
    """Return how long after its session's first event each event happens; sessions ascend."""
    elapsed = np.cumsum(random.exponential(_MEAN_PAUSE_US, len(session)).astype(np.int64))
    _, first, inverse = np.unique(session, return_index=True, return_inverse=True)
    return elapsed - elapsed[first][inverse]


def _before_the_events(shop: Shop, count: int, random: np.random.Generator) -> pa.Array:
    start = _microseconds(shop.until) - shop.days * _DAY_US
    return _timestamps(start - random.integers(0, _OLDEST_DAYS * _DAY_US, count))


def _ids(kind: str, numbers: Integers, *, width: int = 0) -> pa.StringArray:
    digits = pc.cast(pa.array(numbers), pa.string())
    return pc.binary_join_element_wise(
        f"{ID_PREFIX}{kind}_", pc.utf8_lpad(digits, width, "0") if width else digits, ""
    )


def _timestamps(microseconds: Integers) -> pa.Array:
    return pa.array(microseconds).cast(pa.timestamp("us", "UTC"))


def _microseconds(instant: datetime) -> int:
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
