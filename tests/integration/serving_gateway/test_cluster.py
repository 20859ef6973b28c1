"""Redis as a cluster: a node that fails costs its own values, which PostgreSQL stands in for."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import redis
from pydantic import SecretStr

from feature_repo.stores.keys import redis_keys
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.clusters import HOST, Node, running_cluster, slots_of
from tests.integration.serving_gateway.conftest import gateway_on, read_batch, read_metrics
from tests.integration.serving_gateway.stage import eventually

POPULARITY = "popularity_score"
IDS = [f"p{number}" for number in range(60)]
KEYS = redis_keys(POPULARITY, "1.1.0", IDS)
# Of a node that does not answer; short, for each wait is one.
LIMITS = {
    "redis_timeout_seconds": 2.0,
    "breaker_failures": 2,
    "breaker_failing_seconds": 0.0,
    "breaker_recovery_seconds": 0.1,
    "absent_seconds": 0.01,
}


class Stage(NamedTuple):
    """A gateway, the nodes of its Redis, and how many of the values one of them has."""

    client: httpx.Client
    nodes: list[Node]
    sick: Node
    of_sick: int

    def counts(self, **body: Any) -> dict[str, int]:  # noqa: ANN401 - any field
        """Read everything, which has to be right, and return how much came from where."""
        answer = read_batch(self.client, entity_ids=IDS, feature_names=[POPULARITY], **body)
        values = answer["values"]
        assert all(values[i][POPULARITY] in {0.75, 0.25} for i in IDS)
        counts: dict[str, int] = answer["counts"]
        return counts


@pytest.fixture
def stage(applied: Settings, settings: Settings, tmp_path: Path) -> Iterator[Stage]:
    """Yield a gateway whose values are in all nodes, and in PostgreSQL: there they are stale."""
    assert applied == settings
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO feature_latest VALUES (%s, %s, '0.25', '1.1.0', now() - interval '1 day')",
            [(identifier, POPULARITY) for identifier in IDS],
        )
    with running_cluster(tmp_path) as nodes:
        client = redis.RedisCluster(host=HOST, port=nodes[0].port)
        for key in KEYS:
            client.set(key, "0.75", ex=250)
        of_sick = sum(client.get_node_from_key(key).port == nodes[0].port for key in KEYS)
        client.close()
        clustered = settings.model_copy(
            update={
                "redis_url": SecretStr(f"redis://{HOST}:{nodes[0].port}"),
                "redis_cluster": True,
                **LIMITS,
            }
        )
        with gateway_on(clustered) as gateway:
            yield Stage(gateway, nodes, nodes[0], of_sick)


@pytest.mark.parametrize("metadata", [False, True])
def test_values_come_from_all_nodes(stage: Stage, metadata: bool) -> None:  # noqa: FBT001
    """With or without their event timestamps."""
    assert 0 < stage.of_sick < len(IDS)
    assert stage.counts(metadata=metadata) == {"online": len(IDS)}
    assert stage.client.get("/ready").json()["online"]


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
def test_a_node_that_fails_costs_its_own_values(stage: Stage, fault: signal.Signals) -> None:
    """From the first request on, and the others are never taken for sick."""
    without = {"online": len(IDS) - stage.of_sick, "offline": stage.of_sick}
    assert stage.counts() == {"online": len(IDS)}
    stage.sick.process.send_signal(fault)
    for _ in range(10):
        assert stage.counts() == without
    eventually(lambda: _given_up(stage) == {stage.sick.port})
    assert stage.client.get("/ready").json()["online"]
    if fault is signal.SIGSTOP:
        stage.sick.process.send_signal(signal.SIGCONT)
        eventually(lambda: stage.counts() == {"online": len(IDS)})


def test_a_node_that_is_gone_is_given_up_no_longer(stage: Stage) -> None:
    """Once others have its slots: nobody is alarmed about a node that is no part of the cluster."""
    stage.sick.process.kill()
    eventually(lambda: bool(stage.counts()) and _given_up(stage) == {stage.sick.port})
    heir, other = stage.nodes[1:]
    for node in (heir, other):
        _tell(node, "CLUSTER DELSLOTSRANGE", *slots_of(0))
    _tell(heir, "CLUSTER ADDSLOTSRANGE", *slots_of(0))
    eventually(lambda: bool(stage.counts()) and not _given_up(stage))


def _tell(node: Node, command: str, *arguments: int) -> None:
    with contextlib.closing(redis.Redis(HOST, node.port)) as client:
        client.execute_command(command, *arguments)


def _given_up(stage: Stage) -> set[int]:
    """Return the ports of the nodes that reads are kept off."""
    metrics = read_metrics(stage.client)
    return {
        node.port
        for node in stage.nodes
        if metrics.get(f'feature_tier_state{{part="{HOST}:{node.port}",tier="online"}}')
    }


def test_a_cluster_is_found_when_it_is_there(
    applied: Settings, settings: Settings, tmp_path: Path
) -> None:
    """A gateway that starts before the cluster serves from PostgreSQL, and then from both."""
    assert applied == settings
    with running_cluster(tmp_path) as nodes:
        nodes[0].process.send_signal(signal.SIGSTOP)
        clustered = settings.model_copy(
            update={
                "redis_url": SecretStr(f"redis://{HOST}:{nodes[0].port}"),
                "redis_cluster": True,
                **LIMITS,
            }
        )
        with gateway_on(clustered) as gateway:
            assert not gateway.get("/ready").json()["online"]
            asked = {"entity_ids": ["p0"], "feature_names": [POPULARITY]}
            assert read_batch(gateway, **asked)["degraded"]
            nodes[0].process.send_signal(signal.SIGCONT)
            eventually(lambda: not read_batch(gateway, **asked)["degraded"])
            assert gateway.get("/ready").json()["online"]
