"""A load on a gateway in a process of its own, and what came of it."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

_CLIENTS = 4
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Question:
    """
    A batch of one feature, and what may be answered.

    Attributes:
        feature_name: The feature.
        right: The value that is right, of all entities.
        default: The feature's default: an answer may have it instead, if it says that it is
            degraded.
        entity_ids: The entities.
    """

    feature_name: str
    right: float
    default: float
    entity_ids: Sequence[str]

    @property
    def body(self) -> dict[str, Any]:
        """What is sent."""
        return {"entity_ids": self.entity_ids, "feature_names": [self.feature_name]}

    def is_answered(self, answer: Mapping[str, Any]) -> bool:
        """Tell whether an answer is right in every value."""
        return not self.wrong_entities(answer) and not answer["degraded"]

    def wrong_entities(self, answer: Mapping[str, Any]) -> dict[str, object]:
        """Return the values that are not right, by entity."""
        values = {entity: answer["values"][entity][self.feature_name] for entity in self.entity_ids}
        return {entity: value for entity, value in values.items() if value != self.right}


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
def running_load(client: httpx.Client, question: Question) -> Iterator[Outcome]:
    """
    Ask a gateway over and over until the block ends.

    Args:
        client: Of the gateway.
        question: What is asked, by several clients at a time.
    """
    outcome, stop = Outcome(), threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=client.base_url, timeout=30.0) as own:
            while not stop.is_set():
                started = time.perf_counter()
                response = own.post("/v1/features/batch", json=question.body)
                outcome.latencies.append(time.perf_counter() - started)
                _judge(outcome, response, question)

    threads = [threading.Thread(target=ask) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield outcome
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _judge(outcome: Outcome, response: httpx.Response, question: Question) -> None:
    if not response.is_success:
        outcome.wrong.append(response.text)
        return
    answer = response.json()
    outcome.degraded += answer["degraded"]
    not_right = question.wrong_entities(answer)
    served_defaults = answer["counts"].get("default", 0)
    if set(not_right.values()) - {question.default} or len(not_right) > served_defaults:
        outcome.wrong.append(response.text)
    elif not_right and not answer["degraded"]:
        outcome.wrong.append(f"not said to be degraded: {response.text}")


def _await_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if client.get("/health").is_success:
                return
        time.sleep(0.1)
    raise TimeoutError("the gateway did not start")
