"""What is computed on demand is what the batch job or a slow, obvious reference computes."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import connect
from foundation.settings import Settings
from tests.property.transformations.test_computations import (
    AS_OF,
    Rows,
    events_strategy,
    examples,
    instants,
    products_strategy,
    store_tables,
)
from transformations import on_demand
from transformations.computations.search_semantic_score import combine
from transformations.computing import compute
from transformations.embedding import no_model
from transformations.engines.postgres import PostgresEngine
from transformations.expressions import computation_module, dependency_queries, job_expression
from transformations.jobs import Job

FEATURES = {feature.reference: feature for feature in gather_features()}
FILTERED = [f for f in FEATURES.values() if hasattr(computation_module(f), "FILTERABLE")]
IDS = [*(f"p{n}" for n in range(6)), *(f"u{n}" for n in range(1, 6)), "p'0", "p\0", '"', "%s $1"]
_LATEST = """
INSERT INTO feature_latest (entity_id, feature_name, feature_value, version, "timestamp")
VALUES (%s, %s, %s, %s, %s)
"""


@pytest.mark.parametrize("feature", FILTERED, ids=lambda feature: feature.reference)
@examples
@given(
    tables=st.fixed_dictionaries(
        {
            "events": events_strategy,
            "products": products_strategy,
            "users": st.lists(instants, min_size=4, max_size=4).map(
                lambda created: [
                    {"user_id": f"u{n}", "created_at": at} for n, at in enumerate(created, start=1)
                ]
            ),
        }
    ),
    known=st.dictionaries(st.sampled_from(["books", "ÉLECTRO"]), st.floats(0, 1)),
    wanted=st.lists(st.sampled_from(IDS)),
    later=st.timedeltas(timedelta(0), timedelta(days=1)),
)
def test_on_demand_equals_the_batch_job(
    servers: Settings,
    tables: dict[str, Rows],
    known: dict[str, float],
    wanted: list[str],
    later: timedelta,
    feature: FeatureVersion,
) -> None:
    """For the same instant, the same values to the last bit, of the wanted entities only."""
    as_of: datetime = AS_OF + later
    dependencies = [FEATURES[reference] for reference in feature.dependencies]
    store_tables(servers, **tables)
    _store_known(servers, dependencies, known)
    job = Job((feature,), dependencies)
    with PostgresEngine.open(servers, dependency_queries(job, as_of=as_of)) as engine:
        extracted = engine.execute(job_expression(job, as_of=as_of))
    batch = compute(job, extracted, as_of=as_of).values[feature.reference]
    [join_key] = feature.join_keys
    with connect(servers) as connection:
        values = on_demand.compute_values(
            connection,
            feature,
            pa.table({join_key: pa.array(wanted, pa.string())}),
            dependencies=dependencies,
            as_of=as_of,
            embed=no_model,
        )
    assert values.schema == batch.schema
    assert _by_id(values) == {i: v for i, v in _by_id(batch).items() if i in wanted}


def _store_known(
    settings: Settings, dependencies: Sequence[FeatureVersion], known: dict[str, float]
) -> None:
    """Replace the values that dependencies are known to have."""
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE feature_latest, feature_values")
        rows = [
            (entity, d.feature_name, str(value), d.version, AS_OF)
            for d in dependencies
            for entity, value in known.items()
        ]
        cursor.executemany(_LATEST, rows)


def _by_id(values: pa.Table) -> dict[str, Any]:
    columns = values.to_pydict()
    return dict(zip(columns["entity_id"], columns["feature_value"], strict=True))


Vector = np.ndarray[tuple[int], np.dtype[np.float32]]
# Small whole numbers: many are 0, parallel or opposed.
vectors = npst.arrays(np.float32, 3, elements=st.integers(-3, 3).map(float))


@given(
    stored=st.dictionaries(st.sampled_from("abcd"), vectors),
    embedded=st.fixed_dictionaries(dict.fromkeys(("milk", "tea", "x" * 1000, ""), vectors)),
    wanted=st.sets(
        st.tuples(
            st.sampled_from("abcde"), st.sampled_from(["milk", " tea ", "x" * 2_000, "", " \t"])
        )
    ),
)
def test_the_semantic_score_is_the_cosine(
    stored: dict[str, Vector], embedded: dict[str, Vector], wanted: set[tuple[str, str]]
) -> None:
    """Of the vectors of query and product, not below 0; 0 for vectors and queries of nothing."""
    expected = {
        (product, query): _cosine(stored[product], embedded[query.strip()[:1_000]])
        if query.strip()
        else 0.0
        for product, query in wanted
        if product in stored
    }
    pairs = pa.table(
        {
            "product_id": pa.array([product for product, _ in wanted], pa.string()),
            "query": pa.array([query for _, query in wanted], pa.string()),
        }
    )
    known = pa.table(
        {
            "product_id": pa.array(list(stored), pa.string()),
            "feature_value": pa.array(
                [vector.tolist() for vector in stored.values()], pa.list_(pa.float32())
            ),
        }
    )
    scored = combine(
        pairs,
        product_embedding=known,
        embed=lambda texts: np.array([embedded[text] for text in texts], np.float32),
    )
    assert {
        (row["product_id"], row["query"]): row["feature_value"] for row in scored.to_pylist()
    } == pytest.approx(expected, abs=1e-6)
    assert all(0 <= score <= 1 for score in scored["feature_value"].to_pylist())


def _cosine(one: Vector, other: Vector) -> float:
    lengths = math.hypot(*one.tolist()) * math.hypot(*other.tolist())
    products = [a * b for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    return max(0.0, sum(products) / lengths) if lengths else 0.0
