"""An embedding model that hangs costs what needs it, and nothing else."""

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from benchmarks.judged_load import Gateway, gateway_process
from feature_repo.registry.catalog import Catalog
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.serving_gateway.conftest import (
    BATCH,
    gateway_on,
    read_batch,
    read_metrics,
    store_value,
    with_semantic_score,
)

SEMANTIC, FRESHNESS, POPULARITY = (
    "search_semantic_score",
    "product_freshness_score",
    "popularity_score",
)
EMBEDDING = [1.0] + [0.0] * 383
# More than the model's places, and than threads that others share.
SEARCHES = 30
HASTE = {"X-Timeout-Ms": "50"}
SLEEPER = "import sys, time; sys.stdin.readline(); open(sys.argv[1], 'w').close(); time.sleep(3600)"


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Return the file that is there once the model has been asked something."""
    return tmp_path / "asked"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Return the file of the serving rules, of which there are none yet."""
    path = tmp_path / "rules.yaml"
    path.write_text("{}")
    return path


@pytest.fixture
def gateway(applied: Settings, settings: Settings, asked: Path, rules: Path) -> Iterator[Gateway]:
    """Yield a gateway, in a process of its own, whose model never answers."""
    assert applied == settings
    environment = {
        "FEATURE_STORE_EMBEDDING_COMMAND": _sleeper(asked),
        "FEATURE_STORE_EMBEDDING_TIMEOUT_SECONDS": "3600",
        "FEATURE_STORE_SERVING_RULES": str(rules),
        "FEATURE_STORE_SERVING_RULES_REFRESH_SECONDS": "0.1",
    }
    with gateway_process(environment) as gateway:
        yield gateway  # and ends it, within a time


@pytest.fixture
def hung(applied: Settings, settings: Settings, asked: Path) -> Settings:
    """Return settings of a model that never answers, over stores with two products."""
    assert applied == settings
    _store(settings)
    return settings.model_copy(update={"embedding_command": _sleeper(asked)})


def test_all_else_goes_on(
    gateway: Gateway, settings: Settings, valkey: redis.Redis, asked: Path, rules: Path
) -> None:
    """Searches have defaults; computations, rules and invalidation are as quick as ever."""
    client = gateway.client
    _store(settings)
    for number in range(SEARCHES):
        answer = _search(client, f"query {number}")
        assert (answer["counts"], answer["degraded"]) == ({"default": 1}, True)
    _eventually(asked.exists)
    answer = read_batch(client, entity_ids=["p1", "p2"], feature_names=[FRESHNESS])
    assert answer["counts"] == {"on_demand": 2}
    store_value(valkey, POPULARITY, "p1", "0.5")
    response = client.post("/v1/cache/invalidate", json={"feature_name": POPULARITY})
    assert response.json()["removed"] == 1
    rules.write_text("versions: {popularity_score: 1.0.0}\n")
    _eventually(
        lambda: client.get(f"/v1/features/{POPULARITY}").json()["served_version"] == "1.0.0"
    )


def test_who_brings_an_embedding_needs_no_model(hung: Settings, asked: Path) -> None:
    """The score is computed, whatever the model does."""
    wanted = {"product_ids": ["p1"]}
    with gateway_on(hung, with_semantic_score) as client:
        for number in range(SEARCHES):
            body = wanted | {"query": f"query {number}"}
            assert _ranking(client, body, HASTE) == 0.0
        _eventually(asked.exists)
        assert _ranking(client, wanted | {"query_embedding": EMBEDDING}) == 1.0


def test_what_needs_it_may_be_taken_out_of_use(hung: Settings) -> None:
    """The gateway then no longer tells that it is given up, nor asks the model for it."""
    hurried = hung.model_copy(
        update={"catalog_refresh_seconds": 0.05, "on_demand_timeout_seconds": 0.5}
    )
    deployed = [with_semantic_score()]
    state = f'feature_tier_state{{part="{SEMANTIC}==1.0.0",tier="on_demand"}}'
    with gateway_on(hurried, lambda: deployed[0]) as client:
        _eventually(
            lambda: bool(_search(client, "query")) and read_metrics(client).get(state) == 1.0
        )
        deployed[0] = Catalog(
            [each for each in deployed[0].features if each.feature_name != SEMANTIC], {}
        )
        _eventually(lambda: read_metrics(client)[state] == 0.0)


def _sleeper(asked: Path) -> str:
    return shlex.join([sys.executable, "-c", SLEEPER, str(asked)])


def _ranking(
    client: httpx.Client, body: dict[str, Any], headers: dict[str, str] | None = None
) -> float:
    response = client.post("/v1/feature-services/ranking_v1", json=body, headers=headers)
    [row] = response.json()["rows"]
    score: float = row[SEMANTIC]
    return score


def _store(settings: Settings) -> None:
    with connect(settings) as connection:
        for product_id in ("p1", "p2"):
            connection.execute(
                "INSERT INTO products VALUES (%s, 't', 'd', 'c', 1.0, now() - interval '1 day', "
                "now())",
                (product_id,),
            )
        connection.execute(
            "INSERT INTO feature_latest VALUES ('p1', 'product_embedding', %s, '1.0.0', now())",
            (str(EMBEDDING),),
        )


def _search(client: httpx.Client, query: str) -> dict[str, Any]:
    """Ask for a semantic score: staged where no model was configured, so by its version."""
    body = {
        "entity_ids": [f"p1:{query}"],
        "feature_names": [SEMANTIC],
        "versions": {SEMANTIC: "1.0.0"},
    }
    answer: dict[str, Any] = client.post(BATCH, json=body, headers=HASTE).json()
    return answer


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
