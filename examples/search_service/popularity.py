"""What the service computed before there was a feature store: a query of the events per search."""

import asyncio
from collections.abc import Mapping, Sequence

from foundation.postgres import connect
from foundation.settings import Settings
from serving_gateway.client import AsyncInline

_SCORES = """
WITH decayed AS (
    SELECT product_id, count(*) AS events, sum(
        CASE event_type WHEN 'view' THEN 1 WHEN 'add_to_cart' THEN 2 ELSE 3 END
        * 0.5 ^ (extract(epoch FROM now() - event_timestamp) / 86400 / 7)) AS total
    FROM events
    WHERE event_timestamp > now() - interval '90 days' AND event_timestamp <= now()
    GROUP BY product_id
)
SELECT product_id, CASE WHEN events < 10 THEN 0.1 ELSE total / (SELECT max(total) FROM decayed) END
FROM decayed WHERE product_id = ANY(%s)
"""
_NEW_PRODUCT = 0.1


def popularity_of_events(settings: Settings) -> AsyncInline:
    """Return a function from product ids to popularities; it adds up all events at each call."""

    def compute(product_ids: Sequence[str]) -> Mapping[str, float]:
        with connect(settings) as connection:
            rows = connection.execute(_SCORES, (list(product_ids),)).fetchall()
        known = {product_id: float(score) for product_id, score in rows}
        return {product_id: known.get(product_id, _NEW_PRODUCT) for product_id in product_ids}

    return lambda product_ids: asyncio.to_thread(compute, product_ids)
