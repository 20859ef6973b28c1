"""Each computation equals a slow and obvious reference, on histories nobody thought of."""

import math
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from feature_repo.registry.gather import gather_features
from foundation.copy import copy_table
from foundation.postgres import connect
from foundation.settings import Settings
from transformations.computing import compute
from transformations.engines.postgres import PostgresEngine
from transformations.expressions import job_expression
from transformations.jobs import Job, jobs_of

AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)
JOBS = jobs_of(gather_features())
WEIGHTS = {"view": 1.0, "add_to_cart": 2.0, "purchase": 3.0}
WINDOW = timedelta(days=90)

Rows = list[dict[str, Any]]

# Instants around `as_of` and around the window's start, the boundaries themselves included.
instants = st.one_of(
    st.sampled_from([AS_OF, AS_OF - WINDOW, AS_OF + timedelta(seconds=1)]),
    st.integers(0, 100 * 86_400).map(
        lambda seconds: AS_OF + timedelta(days=1) - timedelta(seconds=seconds)
    ),
)
products_strategy = st.lists(
    st.fixed_dictionaries(
        {"category": st.sampled_from(["books", "fashion", "ÉLECTRO", None]), "created_at": instants}
    ),
    min_size=1,
    max_size=5,
).map(
    lambda rows: [
        row | {"product_id": f"p{n}", "title": "t", "updated_at": row["created_at"]}
        for n, row in enumerate(rows)
    ]
)
events_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": st.sampled_from(["u1", "u2", "u3"]),
            "product_id": st.sampled_from(["p0", "p1", "p2"]),
            "event_type": st.sampled_from(sorted(WEIGHTS)),
            "event_timestamp": instants,
        }
    ),
    max_size=60,
).map(lambda rows: [row | {"event_id": str(n)} for n, row in enumerate(rows)])

_TIMESTAMP = pa.timestamp("us", "UTC")
_SCHEMAS = {
    "products": pa.schema(
        {
            "product_id": pa.string(),
            "title": pa.string(),
            "category": pa.string(),
            "created_at": _TIMESTAMP,
            "updated_at": _TIMESTAMP,
        }
    ),
    "events": pa.schema(
        {
            "event_id": pa.string(),
            "user_id": pa.string(),
            "product_id": pa.string(),
            "event_type": pa.string(),
            "event_timestamp": _TIMESTAMP,
        }
    ),
    "users": pa.schema({"user_id": pa.string(), "created_at": _TIMESTAMP}),
}

examples = hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def store_tables(settings: Settings, **tables: Rows) -> None:
    """Replace the source tables by some rows; events of unknown products are left out."""
    with connect(settings) as connection:
        connection.execute("TRUNCATE events, products, users")
        for table, rows in tables.items():
            if table == "events":
                known = {row["product_id"] for row in tables["products"]}
                rows = [row for row in rows if row["product_id"] in known]  # noqa: PLW2901
            copy_table(connection, table, pa.Table.from_pylist(rows, _SCHEMAS[table]))


def _computed(settings: Settings, name: str, **tables: Rows) -> dict[str, Any]:
    store_tables(settings, **tables)
    [job] = [job for job in JOBS if job.name == f"{name}==1.0.0"]
    # Dependencies as they would be if they had just been computed.
    queries = {
        known.view_name: str(
            ibis.to_sql(job_expression(Job((known,), ()), as_of=AS_OF), dialect="postgres")
        )
        for known in job.dependencies
    }
    with PostgresEngine.open(settings, queries) as engine:
        computed = compute(job, engine.execute(job_expression(job, as_of=AS_OF)), as_of=AS_OF)
    values = computed.values[job.leader.reference].to_pydict()
    return dict(zip(values["entity_id"], values["feature_value"], strict=True))


def _counting(events: Rows, products: Rows) -> Rows:
    """Return the events that count, with their weights."""
    known = {row["product_id"] for row in products}
    return [
        event
        for event in events
        if AS_OF - WINDOW < event["event_timestamp"] <= AS_OF and event["product_id"] in known
    ]


def _weight(event: dict[str, Any], half_life_days: float) -> float:
    age_days = (AS_OF - event["event_timestamp"]) / timedelta(days=1)
    return float(WEIGHTS[event["event_type"]] * 0.5 ** (age_days / half_life_days))


@examples
@given(events=events_strategy, products=products_strategy)
def test_popularity_equals_its_reference(servers: Settings, events: Rows, products: Rows) -> None:
    """The score is the decayed weight relative to the highest, and 0.1 below 10 events."""
    totals: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for event in _counting(events, products):
        totals[event["product_id"]] += _weight(event, 14)
        counts[event["product_id"]] += 1
    expected = {
        product["product_id"]: totals[product["product_id"]] / max(totals.values())
        if counts[product["product_id"]] >= 10
        else 0.1
        for product in products
        if product["created_at"] <= AS_OF
    }
    computed = _computed(servers, "popularity_score", events=events, products=products)
    assert computed == pytest.approx(expected, abs=1e-9)


@examples
@given(products=products_strategy)
def test_freshness_equals_its_reference(servers: Settings, products: Rows) -> None:
    """The score halves every 30 days after the product's creation."""
    expected = {
        product["product_id"]: math.exp2(-(AS_OF - product["created_at"]) / timedelta(days=30))
        for product in products
        if product["created_at"] <= AS_OF
    }
    computed = _computed(servers, "product_freshness_score", products=products)
    assert computed == pytest.approx(expected, abs=1e-9)


@examples
@given(
    events=events_strategy,
    products=products_strategy,
    users=st.lists(instants, min_size=4, max_size=4),
)
def test_affinity_equals_its_reference(
    servers: Settings, events: Rows, products: Rows, users: list[datetime]
) -> None:
    """A user's categories are relative to the strongest; who has under 5 events has everyone's."""
    category = {p["product_id"]: p["category"] for p in products if p["category"] is not None}
    own: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    everyone: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for event in _counting(events, products):
        if event["product_id"] in category:
            weight = _weight(event, 30)
            own[event["user_id"]][category[event["product_id"]]] += weight
            everyone[category[event["product_id"]]] += weight
            counts[event["user_id"]] += 1
    rows: Rows = [{"user_id": f"u{n}", "created_at": at} for n, at in enumerate(users, start=1)]
    expected = {}
    for row in rows:
        if row["created_at"] <= AS_OF and everyone:
            user = row["user_id"]
            totals = own[user] if counts[user] >= 5 else everyone
            expected[user] = {name: total / max(totals.values()) for name, total in totals.items()}
    computed = _computed(
        servers, "user_category_affinity", events=events, products=products, users=rows
    )
    assert set(computed) == set(expected)
    for user, affinities in expected.items():
        assert dict(computed[user]) == pytest.approx(affinities, abs=1e-9)


@examples
@given(events=events_strategy, products=products_strategy)
def test_category_popularity_equals_its_reference(
    servers: Settings, events: Rows, products: Rows
) -> None:
    """A category is relative to the strongest; without events it has no popularity."""
    category = {p["product_id"]: p["category"] for p in products if p["category"] is not None}
    totals: defaultdict[str, float] = defaultdict(float)
    for event in _counting(events, products):
        if event["product_id"] in category:
            totals[category[event["product_id"]]] += _weight(event, 30)
    expected = {name: total / max(totals.values()) for name, total in totals.items()}
    computed = _computed(servers, "category_popularity", events=events, products=products)
    assert computed == pytest.approx(expected, abs=1e-9)


@examples
@given(
    events=events_strategy,
    products=products_strategy,
    users=st.lists(instants, min_size=4, max_size=4),
)
def test_activity_equals_its_reference(
    servers: Settings, events: Rows, products: Rows, users: list[datetime]
) -> None:
    """A user's events of 30 days are relative to the most active user's; without any it is 0."""
    counts = Counter(
        event["user_id"]
        for event in _counting(events, products)
        if event["event_timestamp"] > AS_OF - timedelta(days=30)
    )
    rows: Rows = [{"user_id": f"u{n}", "created_at": at} for n, at in enumerate(users, start=1)]
    expected = {
        row["user_id"]: counts[row["user_id"]] / max(counts.values(), default=1)
        for row in rows
        if row["created_at"] <= AS_OF
    }
    computed = _computed(
        servers, "user_activity_level", events=events, products=products, users=rows
    )
    assert computed == pytest.approx(expected, abs=1e-9)
