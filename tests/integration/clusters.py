"""A Redis Cluster of three nodes, each a process that can be stopped and killed."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import redis

from foundation.embedded import valkey_binary

HOST = "127.0.0.1"
_SLOTS = 16_384
_NODES = 3


class Node(NamedTuple):
    """A node of a cluster."""

    port: int
    bus_port: int
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[list[Node]]:
    """Run a cluster, and yield its nodes, which have the slots by turns."""
    with contextlib.ExitStack() as stack:
        nodes = [
            stack.enter_context(running_node(folder / str(number))) for number in range(_NODES)
        ]
        for number, node in enumerate(nodes):
            with contextlib.closing(redis.Redis(HOST, node.port)) as client:
                client.execute_command("CLUSTER ADDSLOTSRANGE", *slots_of(number))
                client.execute_command("CLUSTER MEET", HOST, nodes[0].port, nodes[0].bus_port)
        for node in nodes:
            _wait_for_cluster(node.port)
        yield nodes


def slots_of(number: int) -> tuple[int, int]:
    """Return the first and the last slot that a node begins with."""
    return _SLOTS * number // _NODES, _SLOTS * (number + 1) // _NODES - 1


@contextlib.contextmanager
def running_node(folder: Path) -> Iterator[Node]:
    """Run a node that may become part of a cluster, and yield it."""
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    # The bus has a port of its own, by default 10,000 above, which may not exist.
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        bus_port = probe.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
        [
            str(valkey_binary()),
            *("--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", ""),
            *("--cluster-enabled", "yes", "--cluster-port", str(bus_port)),
            # What others have is served, whoever is gone.
            *("--cluster-require-full-coverage", "no"),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for_answer(port)
        yield Node(port, bus_port, process)
    finally:
        process.kill()
        process.wait()


def _wait_for_answer(port: int) -> None:
    deadline = time.monotonic() + 10
    with contextlib.closing(redis.Redis(HOST, port)) as client:
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
    with contextlib.closing(redis.Redis(HOST, port)) as client:
        while True:
            info = client.cluster("INFO")
            if info["cluster_state"] == "ok" and int(info["cluster_slots_ok"]) == _SLOTS:
                return
            assert time.monotonic() < deadline, "the cluster did not form"
            time.sleep(0.05)
