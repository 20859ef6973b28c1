"""
The CPU time of requests to a gateway that records metrics, and to one that does not.

A process of its own, for where metrics are kept is decided when it starts. It reads the requests
from its standard input, and writes what it measured to its standard output.
"""

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import uvloop
from starlette.types import ASGIApp, Message

from foundation.logs import configure_logs
from foundation.settings import load_settings
from serving_gateway.app import create_app
from serving_gateway.instrumentation import Instruments
from serving_gateway.metric_registry import MetricRegistry
from serving_gateway.reading_instruments import ReadingInstruments

PATH = "/v1/features/batch"
_AT_A_TIME = 16
_BLOCK_SECONDS = 0.05
_FIRST_BLOCK = 64


class _SilentReadings(ReadingInstruments):
    """Record nothing of a reading."""

    def takes(self) -> bool:
        """Take note of none."""
        return False


class SilentInstruments(Instruments):
    """Record nothing of a request."""

    def __init__(self) -> None:
        super().__init__()
        self.readings = _SilentReadings(MetricRegistry())

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count nothing."""


async def _cpu_seconds(app: ASGIApp, bodies: Iterator[bytes], count: int) -> float:
    """Return how long the process computed for so many requests."""

    async def ask(number: int) -> None:
        for _ in range(number):
            await _request(app, next(bodies))

    started = time.process_time()
    await asyncio.gather(*(ask(count // _AT_A_TIME) for _ in range(_AT_A_TIME)))
    return time.process_time() - started


async def _request(app: ASGIApp, body: bytes) -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [(b"content-length", str(len(body)).encode())],
        "client": ("127.0.0.1", 1),
        "app": app,
    }
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        # Anything else would be measured instead of what is meant.
        if b'"degraded":true' in message.get("body", b"") or message.get("status", 200) >= 400:  # noqa: PLR2004
            raise RuntimeError(str(message))

    await app(scope, receive, send)


async def _compare(
    recording: ASGIApp, silent: ASGIApp, requests: Sequence[str], seconds: float
) -> dict[str, float]:
    """Measure both by turns, each first every other time."""
    bodies = itertools.cycle([request.encode() for request in requests])
    for app in (recording, silent):
        took = await _cpu_seconds(app, bodies, _FIRST_BLOCK)
    count = max(_AT_A_TIME, int(_FIRST_BLOCK * _BLOCK_SECONDS / took) // _AT_A_TIME * _AT_A_TIME)
    pairs = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        first = await _cpu_seconds(recording, bodies, count)
        pairs.append((first, await _cpu_seconds(silent, bodies, count)))
        second = await _cpu_seconds(silent, bodies, count)
        pairs.append((await _cpu_seconds(recording, bodies, count), second))
    return {
        "recording_microseconds": statistics.median(a for a, _ in pairs) / count * 1e6,
        "silent_microseconds": statistics.median(b for _, b in pairs) / count * 1e6,
        "share": statistics.median(1 - b / a for a, b in pairs),
    }


async def _measure(asked: dict[str, Any]) -> dict[str, dict[str, float]]:
    settings = load_settings()
    configure_logs(settings)
    recording = create_app(settings)
    silent = create_app(settings, instruments=SilentInstruments())
    async with (
        recording.router.lifespan_context(recording),
        silent.router.lifespan_context(silent),
    ):
        return {
            shape: await _compare(recording, silent, requests, asked["seconds"])
            for shape, requests in asked["requests"].items()
        }


if __name__ == "__main__":
    sys.stdout.buffer.write(
        orjson.dumps(uvloop.run(_measure(orjson.loads(sys.stdin.buffer.read()))))
    )
