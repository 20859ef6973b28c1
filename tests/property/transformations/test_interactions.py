"""What a model learns from equals a slow and obvious reference."""

from collections import defaultdict
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given

from feature_repo.registry.gather import gather_features
from foundation.copy import copy_table
from foundation.postgres import connect
from foundation.settings import Settings
from tests.property.transformations.test_computations import (
    _SCHEMAS,
    AS_OF,
    WEIGHTS,
    Rows,
    events_strategy,
    examples,
    products_strategy,
)
from transformations.engines.postgres import PostgresEngine
from transformations.expressions import job_expression
from transformations.jobs import Job

DAY = timedelta(days=1)
WINDOW, HALF_LIFE, HELD_OUT = 90 * DAY, 30 * DAY, 20 * DAY
FACTORS = next(f for f in gather_features() if f.feature_name == "user_factors")
FEATURE = FACTORS.model_copy(
    update={
        "parameters": {
            **FACTORS.parameters,
            "window_days": WINDOW / DAY,
            "half_life_days": HALF_LIFE / DAY,
            "held_out_days": HELD_OUT / DAY,
        }
    }
)


def _expected(events: Rows, products: Rows) -> dict[tuple[str, str], list[float]]:
    existing = {row["product_id"] for row in products if row["created_at"] <= AS_OF}
    start = AS_OF - HELD_OUT
    pairs: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0, 0.0, 0])
    for event in events:
        at, product = event["event_timestamp"], event["product_id"]
        if product in existing and AS_OF - WINDOW < at <= AS_OF:
            weight = WEIGHTS[event["event_type"]]
            sums = pairs[event["user_id"], product]
            sums[0] += weight * 0.5 ** ((AS_OF - at) / HALF_LIFE)
            sums[1] += 1
            if at <= start:
                sums[2] += weight * 0.5 ** ((start - at) / HALF_LIFE)
                sums[3] += 1
    return pairs


@examples
@given(events=events_strategy, products=products_strategy)
def test_interactions_equal_their_reference(
    servers: Settings, events: Rows, products: Rows
) -> None:
    """Decayed weights and numbers of interactions, in all and before the time held out."""
    known = {row["product_id"] for row in products}
    events = [event for event in events if event["product_id"] in known]
    with connect(servers) as connection:
        connection.execute("TRUNCATE events, products, users")
        for table, rows in (("products", products), ("events", events)):
            copy_table(connection, table, pa.Table.from_pylist(rows, _SCHEMAS[table]))
    with PostgresEngine.open(servers) as engine:
        extracted = engine.execute(job_expression(Job((FEATURE,), ()), as_of=AS_OF))
    found: dict[Any, list[float]] = {
        (user, product): sums
        for user, product, *sums in zip(*extracted.to_pydict().values(), strict=True)
    }
    expected = _expected(events, products)
    assert set(found) == set(expected)
    for pair, sums in expected.items():
        assert found[pair] == pytest.approx(sums, abs=1e-9)
