"""A gateway under load: stored and computed values, and whether all of them are right."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from benchmarks.judged_load import Outcome, Question, running_load
from feature_repo.stores.keys import redis_keys
from foundation.postgres import connect
from foundation.redis import connect as connect_redis
from foundation.settings import Settings

ONLINE = [f"online_{n}" for n in range(20)]
OFFLINE = [f"offline_{n}" for n in range(5)]
STORED = Question("popularity_score", 0.75, 0.1, [*ONLINE, *OFFLINE])
# Never stored, so every request computes it.
COMPUTED = [f"{product_id}:milk" for product_id in OFFLINE]
# As short as they are by default, so that a fault is noticed.
LIMITS = {
    "FEATURE_STORE_REQUEST_TIMEOUT_SECONDS": "0.09",
    "FEATURE_STORE_REDIS_TIMEOUT_SECONDS": "0.05",
    "FEATURE_STORE_POSTGRES_TIMEOUT_SECONDS": "0.05",
    "FEATURE_STORE_ON_DEMAND_TIMEOUT_SECONDS": "0.25",
    "FEATURE_STORE_ABSENT_SECONDS": "0.01",
    "FEATURE_STORE_BREAKER_RECOVERY_SECONDS": "0.3",
    "FEATURE_STORE_CATALOG_REFRESH_SECONDS": "0.5",
}


@dataclass(frozen=True)
class Load:
    """What the answers to both questions were."""

    stored: Outcome
    computed: Outcome

    @property
    def wrong(self) -> list[str]:
        """Those that were neither right nor a default that is said to be one."""
        return self.stored.wrong + self.computed.wrong

    @property
    def degraded(self) -> int:
        """How many said that a tier could not answer."""
        return self.stored.degraded + self.computed.degraded

    @property
    def answers(self) -> int:
        """How many there were."""
        return len(self.stored.latencies) + len(self.computed.latencies)


@dataclass(frozen=True)
class Stage:
    """
    A gateway, and what it is asked.

    Attributes:
        client: Of the gateway.
        computed: A question that takes a computation; `STORED` is the other one.
    """

    client: httpx.Client
    computed: Question

    def is_well(self) -> bool:
        """Tell whether every value is right, and from where it should be."""
        return all(
            question.is_answered(self.client.post("/v1/features/batch", json=question.body).json())
            for question in (STORED, self.computed)
        )

    @contextmanager
    def under_load(self) -> Iterator[Load]:
        """Ask over and over until the block ends, at which all has to be well again."""
        with (
            running_load(self.client, STORED) as stored,
            running_load(self.client, self.computed) as computed,
        ):
            yield Load(stored, computed)
            eventually(self.is_well)


def filled_stage(client: httpx.Client, settings: Settings) -> Stage:
    """Return a gateway that is well: some values are in Redis, all in PostgreSQL."""
    with connect_redis(settings) as valkey:
        for key in redis_keys(STORED.feature_name, "1.1.0", ONLINE):
            valkey.set(key, "0.75", ex=600)
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO feature_latest (entity_id, feature_name, feature_value, version, "
            "\"timestamp\") VALUES (%s, %s, '0.75', '1.1.0', now() - interval '1 hour')",
            [(entity, STORED.feature_name) for entity in STORED.entity_ids],
        )
        cursor.executemany(
            "INSERT INTO products VALUES (%s, 'Milk', 'd', 'c', 1.0, now() - interval '1 day', "
            "now())",
            [(product_id,) for product_id in OFFLINE],
        )
        row = connection.execute(
            "SELECT round(ts_rank_cd(search_text, 'milk', 32)::numeric, 6)::float8 FROM products"
        ).fetchone()
    assert row is not None
    stage = Stage(client, Question("search_keyword_score", row[0], 0.0, COMPUTED))
    eventually(stage.is_well)
    return stage


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is the case."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)
