"""Values that are no longer right are removed, and what replaces them is served."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import redis
import structlog
from structlog.testing import capture_logs

from feature_repo.stores.keys import redis_keys
from foundation import clock
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from serving_gateway.auth.scopes import AccessScope
from tests.integration.serving_gateway.auth.conftest import bearer, id_of, store_new_key
from tests.integration.serving_gateway.conftest import gateway_on, read_batch

INVALIDATE = "/v1/cache/invalidate"
POPULARITY, FRESHNESS = "popularity_score", "product_freshness_score"


@pytest.fixture
def gateway(applied: Settings, settings: Settings) -> Iterator[httpx.Client]:  # noqa: ARG001 - emptied
    """Yield a client of a gateway that takes what is absent for absent until it is told."""
    with gateway_on(applied.model_copy(update={"absent_seconds": 3_600.0})) as client:
        yield client


def _store_latest(settings: Settings, feature_name: str, entity_id: str, value: float) -> None:
    with connect(settings) as connection:
        connection.execute(
            "INSERT INTO feature_latest "
            '(entity_id, feature_name, feature_value, version, "timestamp") '
            "VALUES (%s, %s, %s, (SELECT CASE %s WHEN %s THEN '1.1.0' ELSE '1.0.0' END), %s)",
            (entity_id, feature_name, json.dumps(value), feature_name, POPULARITY, clock.now()),
        )


def _store_product(settings: Settings, product_id: str, *, age: timedelta) -> None:
    with connect(settings) as connection:
        connection.execute(
            "INSERT INTO products VALUES (%s, 't', 'd', 'c', 1.0, %s, now())"
            " ON CONFLICT (product_id) DO UPDATE SET created_at = excluded.created_at",
            (product_id, clock.now() - age),
        )


def _invalidate(client: httpx.Client, **body: Any) -> dict[str, int]:  # noqa: ANN401 - any field
    response = client.post(INVALIDATE, json=body)
    assert response.status_code == 200, response.text
    removed: dict[str, int] = response.json()
    return removed


def test_values_are_removed_by_feature_version_and_entity(
    gateway: httpx.Client, settings: Settings, valkey: redis.Redis
) -> None:
    """The next reader gets what PostgreSQL has of a feature that only a job computes."""
    for version in ("1.0.0", "1.1.0"):
        for key in redis_keys(POPULARITY, version, ["p1", "p2"]):
            valkey.set(key, "0.5", ex=60)
    valkey.set(redis_keys(FRESHNESS, "1.0.0", ["p1"])[0], "0.5", ex=60)
    _store_latest(settings, POPULARITY, "p1", 0.75)
    assert _invalidate(gateway, feature_name=POPULARITY, version="1.0.0")["removed"] == 2
    removed = _invalidate(gateway, entity_ids=["p1", "u1:p1", "p\0"])
    assert removed == {"removed": 2, "removed_offline": 0}
    answer = read_batch(gateway, entity_ids=["p1", "p2"], feature_names=[POPULARITY])
    assert answer["counts"] == {"offline": 1, "online": 1}
    assert _invalidate(gateway, feature_name=POPULARITY)["removed"] >= 1
    assert gateway.post(INVALIDATE, json={"feature_name": "x"}).status_code == 404
    assert gateway.post(INVALIDATE, json={"entity_ids": []}).status_code == 422


def test_a_changed_product_is_computed_anew(
    gateway: httpx.Client, settings: Settings, valkey: redis.Redis, postgres: Connection
) -> None:
    """Though PostgreSQL has a value that is fresh; the values of other products stay."""
    _store_product(settings, "p1", age=timedelta(days=300))
    for product_id in ("p1", "p2"):
        valkey.set(redis_keys(FRESHNESS, "1.0.0", [product_id])[0], "0.99", ex=60)
        _store_latest(settings, FRESHNESS, product_id, 0.99)
    removed = _invalidate(gateway, feature_name=FRESHNESS, entity_ids=["p1"])
    assert removed == {"removed": 1, "removed_offline": 1}
    answer = read_batch(gateway, entity_ids=["p1", "p2"], feature_names=[FRESHNESS])
    assert answer["counts"] == {"on_demand": 1, "online": 1}
    assert answer["values"]["p1"][FRESHNESS] < 0.5
    _invalidate(gateway, feature_name=FRESHNESS)
    kept = postgres.execute("SELECT count(*) FROM feature_latest WHERE entity_id = 'p2'")
    assert kept.fetchone() == (1,)


def test_every_process_looks_again_for_what_was_absent(
    gateway: httpx.Client, applied: Settings, settings: Settings
) -> None:
    """Not only the one that was told."""
    asked: dict[str, Any] = {"entity_ids": ["late"], "feature_names": [POPULARITY]}
    with gateway_on(applied) as other:
        assert read_batch(gateway, **asked)["counts"] == {"default": 1}
        _store_latest(settings, POPULARITY, "late", 0.75)
        assert read_batch(gateway, **asked)["counts"] == {"default": 1}
        _invalidate(other, entity_ids=["late"])
        for _ in range(10_000):
            if read_batch(gateway, **asked)["counts"] != {"default": 1}:
                return
    pytest.fail("it did not look again")


def test_as_many_entities_as_a_read_may_have(gateway: httpx.Client) -> None:
    """One more is refused."""
    ids = [f"p{number}" for number in range(1_001)]
    assert _invalidate(gateway, entity_ids=ids[:-1]) == {"removed": 0, "removed_offline": 0}
    response = gateway.post(INVALIDATE, json={"entity_ids": ids})
    assert response.status_code == 413
    assert "1000 entities" in response.json()["hint"]


def test_who_removed_how_much_is_logged(applied: Settings, valkey: redis.Redis) -> None:
    """Without the entities."""
    valkey.set(redis_keys(POPULARITY, "1.1.0", ["secret"])[0], "0.5", ex=60)
    key = store_new_key(applied, AccessScope.ADMIN)
    with (
        gateway_on(applied, authentication="on") as client,
        capture_logs([structlog.contextvars.merge_contextvars]) as logged,
    ):
        client.headers.update(bearer(key))
        _invalidate(client, feature_name=POPULARITY, entity_ids=["secret"])
    [event] = [event for event in logged if event["event"] == "values_invalidated"]
    assert event["caller"] == f"key:{id_of(key)} (test)"
    assert (event["entities"], event["removed"]) == (1, 1)
    assert "secret" not in str(event)
