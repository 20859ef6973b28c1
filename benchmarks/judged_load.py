"""A load on a gateway in a process of its own, and what came of it."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

_CLIENTS = 4
_DEFAULT = 0.1
_START_SECONDS = 60.0


@dataclass
class Outcome:
    """
    What the answers to a load were.

    Attributes:
        latencies: In seconds.
        degraded: How many said that a tier could not answer.
        wrong: Those that were neither right nor a default that is said to be one.
    """

    latencies: list[float] = field(default_factory=list)
    degraded: int = 0
    wrong: list[str] = field(default_factory=list)

    def milliseconds(self, percent: float) -> float:
        """Return the latency that so many percent of the answers stayed within."""
        return float(np.percentile(self.latencies, percent)) * 1_000


@dataclass(frozen=True)
class Gateway:
    """A gateway in a process of its own."""

    client: httpx.Client
    process_id: int


@contextlib.contextmanager
def gateway_process(environment: Mapping[str, str]) -> Iterator[Gateway]:
    """Run a gateway, and yield it once it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PROMETHEUS_MULTIPROC")}
    settings = {"FEATURE_STORE_AUTHENTICATION": "off", "FEATURE_STORE_LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "serving_gateway", "serve", "--port", str(port)]
    with (
        subprocess.Popen(command, env={**inherited, **settings, **environment}) as process,  # noqa: S603 - our own
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0) as client,
    ):
        try:
            _await_ready(client)
            yield Gateway(client, process.pid)
        finally:
            process.terminate()
            process.wait(timeout=15)


@contextlib.contextmanager
def running_load(
    client: httpx.Client, body: Mapping[str, Any], right: Mapping[str, Mapping[str, object]]
) -> Iterator[Outcome]:
    """
    Send a batch over and over until the block ends.

    Args:
        client: Of the gateway.
        body: What is asked.
        right: The values that are right, by entity and feature. Where the answer has another, that
            must be the feature's default (0.1 here), and the answer must say so.
    """
    outcome, stop = Outcome(), threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=client.base_url, timeout=30.0) as own:
            while not stop.is_set():
                started = time.perf_counter()
                response = own.post("/v1/features/batch", json=body)
                outcome.latencies.append(time.perf_counter() - started)
                _judge(outcome, response, right)

    threads = [threading.Thread(target=ask) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield outcome
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _judge(
    outcome: Outcome, response: httpx.Response, right: Mapping[str, Mapping[str, object]]
) -> None:
    if not response.is_success:
        outcome.wrong.append(response.text)
        return
    answer = response.json()
    outcome.degraded += answer["degraded"]
    defaults = {
        (entity, name)
        for entity, values in right.items()
        for name, value in values.items()
        if answer["values"][entity][name] != value
    }
    served_defaults = answer["counts"].get("default", 0)
    if (
        any(answer["values"][e][n] != _DEFAULT for e, n in defaults)
        or len(defaults) > served_defaults
    ):
        outcome.wrong.append(response.text)
    elif defaults and not answer["degraded"]:
        outcome.wrong.append(f"not said to be degraded: {response.text}")


def _await_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if client.get("/health").is_success:
                return
        time.sleep(0.1)
    raise TimeoutError("the gateway did not start")
