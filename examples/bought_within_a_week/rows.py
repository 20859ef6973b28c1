"""Entity rows with labels: who bought what within the week after an instant, and who did not."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from foundation.errors import ContractViolation
from foundation.postgres import Connection

WEEK = timedelta(days=7)
LABEL = "bought"
_INSTANT = pa.timestamp("us", "UTC")
# For each product that a shopper bought, so many that they did not, drawn from all there were.
_OTHERS = 4

# Shoppers who were there before; who comes anew has no history to learn from.
_BOUGHT = """
SELECT DISTINCT user_id, product_id FROM events
WHERE event_type = 'purchase' AND event_timestamp > %(at)s AND event_timestamp <= %(end)s
  AND user_id IN (SELECT user_id FROM events WHERE event_timestamp <= %(at)s)
  AND product_id IN (SELECT product_id FROM products WHERE created_at <= %(at)s)
ORDER BY user_id, product_id
"""
_PRODUCTS = """
SELECT product_id, coalesce(category, '') FROM products WHERE created_at <= %(at)s
ORDER BY product_id
"""


def labelled_rows(
    connection: Connection, instants: Sequence[datetime], *, most_purchases: int, seed: int
) -> pa.Table:
    """
    Return rows to learn from.

    Args:
        connection: To PostgreSQL.
        instants: As of when each row asks; its label is about the week after.
        most_purchases: Of each instant; if there are more, some are drawn.
        seed: Another seed, other rows.

    Returns:
        user_id, product_id, query (what somebody types who looks for such products: their
        category), category, event_timestamp, and `bought`, 0 or 1.

    Raises:
        ContractViolation: Nobody bought anything after an instant.
    """
    random = np.random.default_rng(seed)
    return pa.concat_tables(_rows_at(connection, at, most_purchases, random) for at in instants)


def _rows_at(
    connection: Connection, at: datetime, most: int, random: np.random.Generator
) -> pa.Table:
    time = {"at": at, "end": at + WEEK}
    purchases = connection.execute(_BOUGHT, time).fetchall()
    if not purchases:
        raise ContractViolation(
            f"nobody bought anything in the week after {at:%Y-%m-%d}",
            hint="Load events of that time, or choose fewer weeks.",
        )
    categories: dict[str, str] = dict(connection.execute(_PRODUCTS, time).fetchall())
    products = np.array(list(categories))
    bought = set(purchases)
    drawn = random.permutation(len(purchases))[:most]
    rows = []
    for place in sorted(drawn.tolist()):
        user_id, product_id = purchases[place]
        rows.append((user_id, product_id, 1))
        others = random.choice(products, _OTHERS)
        rows += [(user_id, str(o), 0) for o in others if (user_id, str(o)) not in bought]
    users, chosen, labels = zip(*rows, strict=True)
    of_category = [categories[product_id] for product_id in chosen]
    return pa.table(
        {
            "user_id": users,
            "product_id": chosen,
            "query": of_category,
            "category": of_category,
            "event_timestamp": pa.repeat(pa.scalar(at, _INSTANT), len(rows)),
            LABEL: pa.array(labels, pa.int8()),
        }
    )
