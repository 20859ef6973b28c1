"""What a request asks of the stores: each is asked once, whatever the request's size."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from feature_repo.features.user_factors import FACTOR_COUNT
from feature_repo.stores.keys import redis_keys
from foundation import clock
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from tests.integration.serving_gateway.conftest import gateway_on, read_batch

POPULARITY, FRESHNESS, AFFINITY = (
    "popularity_score",
    "product_freshness_score",
    "user_product_affinity",
)
REQUESTS = 12

Statements = Callable[[str], int]


@pytest.fixture
def gateway(applied: Settings, settings: Settings) -> Iterator[httpx.Client]:  # noqa: ARG001 - emptied
    """Yield a client of a gateway over empty stores."""
    with gateway_on(applied) as client:
        yield client


@pytest.fixture
def executed(settings: Settings) -> Iterator[Statements]:
    """Yield a function that counts statements with some words that PostgreSQL has executed."""
    log = settings.data_dir / "postgres" / "log"
    with connect(settings, autocommit=True) as connection:
        _set_up(connection, "ALTER SYSTEM SET log_statement = 'all'", "all")
        start = log.stat().st_size
        yield lambda words: _count(log, start, words)
        _set_up(connection, "ALTER SYSTEM RESET log_statement", "none")


def _set_up(connection: Connection, statement: str, expected: str) -> None:
    connection.execute(statement)
    connection.execute("SELECT pg_reload_conf()")
    while connection.execute("SHOW log_statement").fetchone() != (expected,):
        time.sleep(0.01)


def _count(log: Path, start: int, words: str) -> int:
    with log.open("rb") as file:
        file.seek(start)
        entries = file.read().decode(errors="replace").split("LOG:  ")
    return sum(entry.startswith("execute ") and words in entry for entry in entries)


def _mget_calls(valkey: redis.Redis) -> int:
    return int(valkey.info("commandstats").get("cmdstat_mget", {}).get("calls", 0))


def _store_products(settings: Settings, count: int) -> list[str]:
    ids = [f"p{n}" for n in range(count)]
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO products VALUES (%s, 't', 'd', 'c', 1.0, now() - interval '1 day', now())",
            [(i,) for i in ids],
        )
    return ids


@pytest.mark.parametrize("count", [3, 300])
def test_a_batch_asks_each_store_once(
    gateway: httpx.Client,
    settings: Settings,
    valkey: redis.Redis,
    executed: Statements,
    count: int,
) -> None:
    """One round trip to Redis, one query of PostgreSQL, and one for each computation."""
    products = _store_products(settings, count)
    in_redis, in_postgres = products[::3], products[1::3]
    for key in redis_keys(POPULARITY, "1.1.0", in_redis):
        valkey.set(key, "0.5", ex=60)
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO feature_latest VALUES (%s, %s, '0.5', '1.1.0', %s)",
            [(i, POPULARITY, clock.now()) for i in in_postgres],
        )
    before = _mget_calls(valkey)
    answer = read_batch(gateway, entity_ids=products, feature_names=[POPULARITY, FRESHNESS])
    thirds = count // 3
    assert answer["counts"] == {
        "online": thirds,
        "offline": thirds,
        "on_demand": count,
        "default": thirds,
    }
    assert _mget_calls(valkey) - before == 1
    assert executed("WITH ORDINALITY") == 1
    assert executed("wanted_entities") == 1


@pytest.mark.parametrize("count", [2, 200])
def test_a_combination_reads_each_dependency_once(
    gateway: httpx.Client, settings: Settings, executed: Statements, count: int
) -> None:
    """Factors of all users, and factors of all products."""
    factors = str([1 / FACTOR_COUNT] * FACTOR_COUNT)
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO feature_latest VALUES (%s, %s, %s, '1.0.0', now())",
            [
                (f"{kind}{n}", f"{name}_factors", factors)
                for kind, name in (("u", "user"), ("p", "product"))
                for n in range(count)
            ],
        )
    pairs = [f"u{n}:p{n}" for n in range(count)]
    answer = read_batch(gateway, entity_ids=pairs, feature_names=[AFFINITY])
    assert answer["counts"] == {"on_demand": count}
    assert executed("entity_id = ANY") == 2


def test_requests_at_one_time_share_a_computation(
    gateway: httpx.Client, settings: Settings, valkey: redis.Redis, executed: Statements
) -> None:
    """However many want the same missing value, PostgreSQL is asked for it once."""
    _store_products(settings, 1)
    body: dict[str, Any] = {"entity_ids": ["p0"], "feature_names": [FRESHNESS, POPULARITY]}
    before = _mget_calls(valkey)
    with ThreadPoolExecutor(REQUESTS) as pool:
        with connect(settings) as connection:
            connection.execute("LOCK TABLE products")
            answers = [pool.submit(read_batch, gateway, **body) for _ in range(REQUESTS)]
            while _mget_calls(valkey) - before < REQUESTS:
                time.sleep(0.01)
            # What comes after them has been through the tiers above, so they have, too.
            read_batch(gateway, entity_ids=["p1"], feature_names=[POPULARITY])
        values = {answer.result()["values"]["p0"][FRESHNESS] for answer in answers}
    assert len(values) == 1
    assert 0.9 < values.pop() < 1
    assert executed("wanted_entities") == 1
