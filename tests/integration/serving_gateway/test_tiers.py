"""What Redis does not have comes from PostgreSQL, is computed, or is a default."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
import redis

from feature_repo.features.user_factors import FACTOR_COUNT
from feature_repo.stores.keys import redis_keys
from foundation import clock
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from tests.integration.serving_gateway.conftest import (
    gateway_on,
    read_batch,
    read_metrics,
    with_semantic_score,
)

POPULARITY = "popularity_score"
FRESHNESS = "product_freshness_score"
EMBEDDING = [1.0] + [0.0] * 383
FACTORS = [1.0] * FACTOR_COUNT


@pytest.fixture
def gateway(applied: Settings, settings: Settings) -> Iterator[httpx.Client]:  # noqa: ARG001 - emptied
    """Yield a client of a gateway over empty stores; it writes nothing once the test has ended."""
    with gateway_on(forgetful(applied), with_semantic_score) as client:
        yield client


def forgetful(settings: Settings) -> Settings:
    """Return settings under which what is absent is looked up again at once."""
    return settings.model_copy(update={"absent_seconds": 0.001})


def _store_latest(
    settings: Settings,
    feature_name: str,
    entity_id: str,
    value: object,
    *,
    version: str = "1.0.0",
    timestamp: datetime | None = None,
) -> None:
    with connect(settings) as connection:
        connection.execute(
            "INSERT INTO feature_latest "
            '(entity_id, feature_name, feature_value, version, "timestamp") '
            "VALUES (%s, %s, %s, %s, %s)",
            (entity_id, feature_name, json.dumps(value), version, timestamp or clock.now()),
        )


def _store_product(settings: Settings, product_id: str, title: str = "Milk") -> None:
    with connect(settings) as connection:
        connection.execute(
            "INSERT INTO products VALUES (%s, %s, 'd', 'c', 1.0, %s, now())",
            (product_id, title, clock.now() - timedelta(days=1)),
        )


def _eventually(condition: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the condition gives
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return found


def test_a_fresh_value_of_postgresql_goes_back_to_redis(
    gateway: httpx.Client, settings: Settings, valkey: redis.Redis
) -> None:
    """It lives there for what remains of its tolerance."""
    timestamp = clock.now().replace(microsecond=0) - timedelta(minutes=4)
    _store_latest(settings, POPULARITY, "p1", 0.75, timestamp=timestamp)
    asked: dict[str, Any] = {
        "entity_ids": ["p1", "p2"],
        "feature_names": [POPULARITY],
        "version": "1.0.0",
    }
    answer = read_batch(gateway, **asked)
    assert answer["values"] == {"p1": {POPULARITY: 0.75}, "p2": {POPULARITY: 0.1}}
    assert (answer["counts"], answer["stale"]) == ({"offline": 1, "default": 1}, 0)
    [key] = redis_keys(POPULARITY, "1.0.0", ["p1"])
    assert _eventually(lambda: valkey.get(key)) == b"0.75"
    expiry = (timestamp + timedelta(minutes=5)).timestamp()
    assert valkey.pexpiretime(key) == pytest.approx(expiry * 1_000)
    assert read_batch(gateway, **asked)["counts"] == {"online": 1, "default": 1}


def test_a_stale_value_is_flagged_and_stays_where_it_is(
    gateway: httpx.Client, settings: Settings, valkey: redis.Redis
) -> None:
    """Better than a default; but Redis holds what is fresh only."""
    timestamp = clock.now() - timedelta(hours=1)
    _store_latest(settings, POPULARITY, "p1", 0.75, timestamp=timestamp)
    _store_latest(settings, POPULARITY, "p2", 0.5)
    answer = read_batch(
        gateway,
        entity_ids=["p1", "p2"],
        feature_names=[POPULARITY],
        version="1.0.0",
        metadata=True,
    )
    assert answer["values"]["p1"] == {POPULARITY: 0.75}
    assert answer["stale"] == 1
    origin = answer["metadata"]["p1"][POPULARITY]
    assert (origin["status"], origin["served_from"]) == ("OUTSIDE_MAX_AGE", "offline")
    assert origin["staleness_seconds"] == pytest.approx(3_600, abs=60)
    assert datetime.fromisoformat(origin["event_timestamp"]) == timestamp
    assert answer["metadata"]["p2"][POPULARITY]["status"] == "PRESENT"
    _eventually(lambda: valkey.get(redis_keys(POPULARITY, "1.0.0", ["p2"])[0]))
    assert valkey.get(redis_keys(POPULARITY, "1.0.0", ["p1"])[0]) is None
    single = gateway.get(f"/v1/features/{POPULARITY}/values/p1?version=1.0.0&metadata=true").json()
    assert single["stale"]
    assert single["metadata"]["status"] == "OUTSIDE_MAX_AGE"


def test_a_computed_value_goes_to_both_stores(
    gateway: httpx.Client, settings: Settings, valkey: redis.Redis, postgres: Connection
) -> None:
    """A product that no run has seen has its freshness all the same."""
    _store_product(settings, "new:1")
    asked = {"entity_ids": ["new:1", "nobody"], "feature_names": [FRESHNESS]}
    answer = read_batch(gateway, **asked)
    assert answer["counts"] == {"on_demand": 1, "default": 1}
    value = answer["values"]["new:1"][FRESHNESS]
    assert 0.9 < value < 1
    assert answer["values"]["nobody"] == {FRESHNESS: None}
    text = _eventually(lambda: valkey.get(redis_keys(FRESHNESS, "1.0.0", ["new%3A1"])[0]))
    assert json.loads(text) == value
    row = _eventually(
        lambda: postgres.execute(
            "SELECT entity_id, feature_value FROM feature_latest WHERE feature_name = %s",
            (FRESHNESS,),
        ).fetchone()
    )
    assert row == ("new%3A1", value)
    assert read_batch(gateway, **asked)["counts"] == {"online": 1, "default": 1}


def test_a_user_that_no_run_has_seen_has_categories_of_his_own(
    gateway: httpx.Client, settings: Settings, valkey: redis.Redis
) -> None:
    """From his events until now; a computation is shared by all who ask within some seconds."""
    hour_ago = clock.now() - timedelta(hours=1)
    _store_product(settings, "p1")
    _store_latest(settings, "category_popularity", "toys", 1.0, timestamp=hour_ago)
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO users VALUES ('u1', %s), ('u2', %s)", (hour_ago, hour_ago))
        cursor.executemany(
            "INSERT INTO events VALUES (%s, 'u1', 'p1', 'view', %s)",
            [(str(number), hour_ago) for number in range(5)],
        )
    answer = read_batch(
        gateway,
        entity_ids=["u1", "u2", "nobody"],
        feature_names=["user_category_affinity"],
        metadata=True,
    )
    values = {user: value["user_category_affinity"] for user, value in answer["values"].items()}
    assert (values["u1"], values["u2"]) == ({"c": 1.0}, {"toys": 1.0})
    assert answer["counts"] == {"on_demand": 2, "default": 1}
    origin = answer["metadata"]["u1"]["user_category_affinity"]
    assert datetime.fromisoformat(origin["event_timestamp"]).second % 10 == 0
    key = redis_keys("user_category_affinity", "1.0.0", ["u1"])[0]
    assert _eventually(partial(valkey.get, key)) == b'{"c":1}'


def test_an_unknown_users_categories_are_everybodys(
    applied: Settings, settings: Settings, valkey: redis.Redis
) -> None:
    """The default of one feature is what another has of all its entities."""
    _store_latest(settings, "category_popularity", "books%3A used", 0.25)
    _store_latest(settings, "category_popularity", "toys", 1.0)
    with gateway_on(forgetful(applied)) as client:
        answer = read_batch(
            client, entity_ids=["u1"], feature_names=["user_category_affinity"], metadata=True
        )
    everybodys = {"books: used": 0.25, "toys": 1.0}
    assert answer["values"]["u1"] == {"user_category_affinity": everybodys}
    assert answer["counts"] == {"default": 1}
    assert answer["metadata"]["u1"]["user_category_affinity"]["status"] == "NOT_FOUND"
    assert valkey.dbsize() == 0


def test_a_service_gives_a_row_a_product(gateway: httpx.Client, settings: Settings) -> None:
    """Of the product, the user and both, and scores of the query, whatever the tier."""
    for product_id, title in [("p1", "Organic milk"), ("p2", "Socks")]:
        _store_product(settings, product_id, title)
        _store_latest(settings, "product_factors", product_id, FACTORS)
        _store_latest(settings, "product_embedding", product_id, EMBEDDING)
        _store_latest(settings, POPULARITY, product_id, 0.5)
    _store_latest(settings, "user_factors", "u:1", FACTORS)
    _store_latest(settings, "user_category_affinity", "u%3A1", {"c": 1.0})
    _store_latest(settings, "user_factors", "u%3A1", [1 / FACTOR_COUNT] * FACTOR_COUNT)
    response = gateway.post(
        "/v1/feature-services/ranking_v1",
        json={
            "product_ids": ["p1", "p2"],
            "user_id": "u:1",
            "query": "milk",
            "query_embedding": [2.0] + [0.0] * 383,
            "metadata": True,
        },
    )
    assert response.status_code == 200, response.text
    answer = response.json()
    first, second = answer["rows"]
    assert first["product_id"] == "p1"
    assert first["search_keyword_score"] > 0
    assert second["search_keyword_score"] == 0
    for row in (first, second):
        assert row["user_product_affinity"] == 1.0
        assert row["user_category_affinity"] == {"c": 1.0}
        assert row["search_semantic_score"] == 1.0
        assert row[POPULARITY] == 0.5
        assert 0.9 < row[FRESHNESS] < 1
    # popularity of two products and the user's one map; the rest is computed.
    assert answer["counts"] == {"offline": 3, "on_demand": 8}
    assert answer["metadata"][0]["user_product_affinity"]["served_from"] == "on_demand"
    assert answer["versions"][POPULARITY] == "1.0.0"


def test_a_service_without_user_or_query_has_defaults(
    gateway: httpx.Client, settings: Settings
) -> None:
    """What is nobody's is not asked for."""
    _store_product(settings, "p1", "Organic milk")
    answer = gateway.post("/v1/feature-services/ranking_v1", json={"product_ids": ["p1"]}).json()
    [row] = answer["rows"]
    assert row["search_keyword_score"] == 0
    assert row["user_product_affinity"] is None
    assert answer["counts"] == {"on_demand": 1, "default": 1, "not_asked": 4}
    assert not answer["degraded"]


def test_an_embedding_will_do_without_a_query(gateway: httpx.Client, settings: Settings) -> None:
    """The meaning is compared; words there are none."""
    _store_product(settings, "p1", "Organic milk")
    _store_latest(settings, "product_embedding", "p1", EMBEDDING)
    body = {"product_ids": ["p1"], "query_embedding": EMBEDDING}
    [row] = gateway.post("/v1/feature-services/ranking_v1", json=body).json()["rows"]
    assert (row["search_semantic_score"], row["search_keyword_score"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("name", "body", "status", "mentioned"),
    [
        ("nobody_v1", {"product_ids": ["p1"]}, 404, "ranking_v1"),
        ("ranking_v1", {"product_ids": []}, 422, "product_ids"),
        ("ranking_v1", {"product_ids": ["p1"], "query_embedding": [1.0]}, 422, "query_embedding"),
        ("ranking_v1", {"product_ids": ["p1"], "qurey": "milk"}, 422, "qurey"),
        ("ranking_v1", {"product_ids": ["p1"], "version": "9.9.9"}, 404, "9.9.9"),
    ],
)
def test_wrong_service_requests_are_refused(
    gateway: httpx.Client, name: str, body: dict[str, Any], status: int, mentioned: str
) -> None:
    """With a problem that says what to change."""
    response = gateway.post(f"/v1/feature-services/{name}", json=body)
    assert response.status_code == status
    assert mentioned in response.text


def test_a_short_deadline_leaves_out_what_takes_longer(
    gateway: httpx.Client, settings: Settings
) -> None:
    """The answer is degraded, and in time; the next caller gets the value."""
    _store_product(settings, "p1")
    _store_latest(settings, POPULARITY, "p1", 0.5, version="1.1.0")
    with connect(settings) as connection:
        connection.execute("LOCK TABLE feature_latest")
        hasty = gateway.post(
            "/v1/features/batch",
            json={"entity_ids": ["p1"], "feature_names": [POPULARITY]},
            headers={"X-Timeout-Ms": "50"},
        ).json()
    assert (hasty["degraded"], hasty["counts"]) == (True, {"default": 1})
    answer = read_batch(gateway, entity_ids=["p1"], feature_names=[POPULARITY])
    assert answer["values"]["p1"] == {POPULARITY: 0.5}
    wrong = gateway.get(f"/v1/features/{POPULARITY}/values/p1", headers={"X-Timeout-Ms": "0"})
    assert wrong.status_code == 422


@pytest.mark.parametrize(
    "texts",
    [
        ['0.5,"x":1', "0.5"],
        ["NaN", "0.5"],
        ['"0.5"', "0.5"],
        ["1,[2", "3]"],  # together, as many values as texts
    ],
)
def test_what_is_no_value_in_redis_is_a_miss(
    gateway: httpx.Client, settings: Settings, valkey: redis.Redis, texts: list[str]
) -> None:
    """Of its own row only, whoever wrote it there; PostgreSQL stands in, and all are told."""
    ids = ["p0", "p1", "p2"]
    for key, text in zip(redis_keys(POPULARITY, "1.1.0", ids), [*texts, "0.75"], strict=True):
        valkey.set(key, text, ex=3_600)  # nothing that is written back is newer
    for identifier in ids:
        _store_latest(settings, POPULARITY, identifier, 0.25, version="1.1.0")
    unsound = 2 if texts[1] == "3]" else 1
    labels = 'feature_name="popularity_score",tier="online",version="1.1.0"'
    for _ in range(3):  # which never is a reason to give Redis up
        answer = read_batch(gateway, entity_ids=ids, feature_names=[POPULARITY], metadata=True)
    assert [answer["values"][i][POPULARITY] for i in ids] == [
        *[0.25] * unsound,
        *[0.5, 0.75][unsound - 1 :],
    ]
    assert answer["counts"] == {"online": 3 - unsound, "offline": unsound}
    assert not answer["degraded"]
    metrics = read_metrics(gateway)
    assert metrics[f"feature_corrupt_values_total{{{labels}}}"] == 3 * unsound
    assert metrics['feature_tier_state{part="",tier="online"}'] == 0


def test_what_is_no_value_in_postgresql_is_a_miss(
    gateway: httpx.Client, settings: Settings, valkey: redis.Redis
) -> None:
    """It is computed instead, and what is right beside it is served and written back."""
    for product_id in ("p1", "p2"):
        _store_product(settings, product_id)
    _store_latest(settings, FRESHNESS, "p1", "fresh")
    _store_latest(settings, FRESHNESS, "p2", 0.5)
    answer = read_batch(gateway, entity_ids=["p1", "p2"], feature_names=[FRESHNESS])
    assert answer["counts"] == {"offline": 1, "on_demand": 1}
    assert 0.9 < answer["values"]["p1"][FRESHNESS] < 1
    for key in redis_keys(FRESHNESS, "1.0.0", ["p1", "p2"]):
        assert json.loads(_eventually(partial(valkey.get, key))) > 0


def test_a_store_that_refuses_costs_no_answer(gateway: httpx.Client, settings: Settings) -> None:
    """A missing table is a failure like a missing server; what needs another is served."""
    _store_product(settings, "p1")
    asked = {"entity_ids": ["p1"], "feature_names": [POPULARITY, FRESHNESS]}
    with connect(settings) as connection:
        connection.execute("ALTER TABLE feature_latest RENAME TO feature_gone")
    try:
        answer = read_batch(gateway, **asked)
    finally:
        with connect(settings) as connection:
            connection.execute("ALTER TABLE feature_gone RENAME TO feature_latest")
    assert answer["counts"] == {"on_demand": 1, "default": 1}
    assert answer["degraded"]
    with connect(settings) as connection:
        connection.execute("ALTER TABLE products RENAME TO products_gone")
    try:
        answer = read_batch(gateway, entity_ids=["p2"], feature_names=[FRESHNESS])
    finally:
        with connect(settings) as connection:
            connection.execute("ALTER TABLE products_gone RENAME TO products")
    assert (answer["counts"], answer["degraded"]) == ({"default": 1}, True)


@pytest.mark.parametrize(
    ("hours", "count", "status"),
    [(1, "on_demand", "PRESENT"), (30, "on_demand", "OUTSIDE_MAX_AGE"), (50, "default", None)],
    ids=["fresh", "stale", "beyond their look-back"],
)
def test_an_affinity_is_as_old_as_the_older_of_its_factors(
    gateway: httpx.Client,
    settings: Settings,
    valkey: redis.Redis,
    hours: int,
    count: str,
    status: str | None,
) -> None:
    """It is in Redis for what is left of their life, and never fresher than they are."""
    made_at = clock.now() - timedelta(hours=hours)
    shares = [1 / FACTOR_COUNT] * FACTOR_COUNT
    _store_latest(settings, "user_factors", "u1", shares, timestamp=made_at)
    _store_latest(settings, "product_factors", "p1", FACTORS)
    asked = {"entity_ids": ["u1:p1"], "feature_names": ["user_product_affinity"]}
    answer = read_batch(gateway, **asked, metadata=True)
    assert answer["counts"] == {count: 1}
    if status is None:
        return
    origin = answer["metadata"]["u1:p1"]["user_product_affinity"]
    assert origin["status"] == status
    assert datetime.fromisoformat(origin["event_timestamp"]) == made_at
    [key] = redis_keys("user_product_affinity", "1.0.0", ["u1:p1"])
    if status == "PRESENT":
        _eventually(lambda: valkey.get(key))
        assert valkey.ttl(key) == pytest.approx(3_600 * (24 - hours), abs=60)
    else:
        _eventually(lambda: read_batch(gateway, **asked)["counts"] == {"offline": 1})
        assert valkey.get(key) is None


@pytest.mark.parametrize("factors", ["none", [1.0, 2.0], {"a": 1.0}, None])
def test_factors_that_are_none_cost_their_own_pairs(
    gateway: httpx.Client, settings: Settings, factors: object
) -> None:
    """Other pairs of the batch have their values."""
    _store_latest(settings, "user_factors", "odd", factors)
    _store_latest(settings, "user_factors", "u1", [1 / FACTOR_COUNT] * FACTOR_COUNT)
    _store_latest(settings, "product_factors", "p1", FACTORS)
    answer = read_batch(
        gateway, entity_ids=["odd:p1", "u1:p1"], feature_names=["user_product_affinity"]
    )
    assert answer["values"]["odd:p1"] == {"user_product_affinity": None}
    assert answer["values"]["u1:p1"] == {"user_product_affinity": 1.0}
    assert not answer["degraded"]


def test_a_nul_in_an_id_is_nobodys(gateway: httpx.Client) -> None:
    """PostgreSQL can't even be asked."""
    answer = read_batch(gateway, entity_ids=["p\0"], feature_names=[POPULARITY, FRESHNESS])
    assert answer["counts"] == {"default": 2}
    assert not answer["degraded"]


def test_the_metrics_tell_hits_and_misses_by_tier(
    gateway: httpx.Client, settings: Settings
) -> None:
    """Per feature and version, with the age of what came from PostgreSQL."""
    before = read_metrics(gateway)
    _store_latest(settings, POPULARITY, "p1", 0.5, version="1.1.0")
    read_batch(gateway, entity_ids=["p1", "p2", "p3"], feature_names=[POPULARITY])
    after = read_metrics(gateway)
    labels = 'feature_name="popularity_score"'
    expected = {
        f'feature_requests_total{{{labels},served_from="offline",version="1.1.0"}}': 1,
        f'feature_requests_total{{{labels},served_from="default",version="1.1.0"}}': 2,
        f'feature_tier_misses_total{{{labels},tier="online",version="1.1.0"}}': 3,
        f'feature_tier_misses_total{{{labels},tier="offline",version="1.1.0"}}': 2,
        f'feature_staleness_seconds_count{{{labels},version="1.1.0"}}': 1,
    }
    assert {name: after[name] - before.get(name, 0) for name in expected} == expected
