"""A Redis Cluster of three nodes, and features of every type."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status
from foundation.embedded import valkey_binary

_HOST = "127.0.0.1"
_SLOTS = 16_384
_NODES = 3


def make_feature(feature_name: str, feature_type: FeatureType, **changes: Any) -> FeatureVersion:  # noqa: ANN401 - any field
    """Return a product feature with a staleness tolerance of an hour."""
    fields = {
        "feature_name": feature_name,
        "version": "1.0.0",
        "feature_type": feature_type,
        "description": "A test.",
        "entity": "product",
        "join_keys": ("product_id",),
        "computation": "test",
        "source": ("events",),
        "owner": "search",
        "status": Status.ACTIVE,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
        "default": None,
        "staleness_tolerance": timedelta(hours=1),
        "computation_frequency": timedelta(hours=1),
        "history_interval": timedelta(days=1),
    }
    return FeatureVersion.model_validate({**fields, **changes})


@pytest.fixture(scope="session")
def cluster_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Yield the port of one node of a cluster that the whole session shares."""
    folder = tmp_path_factory.mktemp("cluster")
    with contextlib.ExitStack() as nodes:
        ports = [nodes.enter_context(_node(folder / str(number))) for number in range(_NODES)]
        first_port, first_bus_port = ports[0]
        for number, (port, _) in enumerate(ports):
            with contextlib.closing(redis.Redis(_HOST, port)) as client:
                first, last = _SLOTS * number // _NODES, _SLOTS * (number + 1) // _NODES - 1
                client.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
                client.execute_command("CLUSTER MEET", _HOST, first_port, first_bus_port)
        for port, _ in ports:
            _wait_for_cluster(port)
        yield first_port


@pytest.fixture
def cluster(cluster_port: int) -> Iterator[redis.RedisCluster]:
    """Yield a client of an empty cluster."""
    client = redis.RedisCluster(host=_HOST, port=cluster_port)
    client.flushall(target_nodes=redis.RedisCluster.PRIMARIES)
    yield client
    client.close()


@contextlib.contextmanager
def _node(folder: Path) -> Iterator[tuple[int, int]]:
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port = probe.getsockname()[1]
    # The bus has a port of its own, by default 10,000 above, which may not exist.
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        bus_port = probe.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
        [
            str(valkey_binary()),
            *("--port", str(port), "--bind", _HOST, "--dir", str(folder), "--save", ""),
            *("--cluster-enabled", "yes", "--cluster-port", str(bus_port)),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for_answer(port)
        yield port, bus_port
    finally:
        process.kill()
        process.wait()


def _wait_for_answer(port: int) -> None:
    deadline = time.monotonic() + 10
    with contextlib.closing(redis.Redis(_HOST, port)) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return


def _wait_for_cluster(port: int) -> None:
    deadline = time.monotonic() + 20
    with contextlib.closing(redis.Redis(_HOST, port)) as client:
        while client.cluster("INFO")["cluster_state"] != "ok" or len(client.cluster("NODES")) < 3:
            assert time.monotonic() < deadline, "the cluster did not form"
            time.sleep(0.05)
