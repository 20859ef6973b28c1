"""A small HTTP client that costs less than the servers it measures."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import uvloop

from benchmarks.stage import HOST

_WARM_UP_SECONDS = 0.3


@dataclass(frozen=True)
class Load:
    """
    What a server did under load.

    Attributes:
        seconds: How long it lasted.
        latencies: Of each answer, in seconds.
    """

    seconds: float
    latencies: npt.NDArray[np.float64]

    @property
    def requests_per_second(self) -> float:
        """Answers divided by the time they took together."""
        return len(self.latencies) / self.seconds

    @property
    def p50_milliseconds(self) -> float:
        """Half of the answers came within this."""
        return float(np.percentile(self.latencies, 50)) * 1_000

    @property
    def p99_milliseconds(self) -> float:
        """All but one in a hundred came within this."""
        return float(np.percentile(self.latencies, 99)) * 1_000


def together(loads: Sequence[Load]) -> Load:
    """Return several loads as one."""
    latencies = np.concatenate([load.latencies for load in loads])
    return Load(sum(load.seconds for load in loads), latencies)


def measure(
    port: int,
    path: str,
    bodies: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    headers: str = "",
) -> Load:
    """Send requests over and over, on several connections at once."""
    head = f"POST {path} HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\n{headers}"
    requests = [f"{head}content-length: {len(b)}\r\n\r\n".encode() + b for b in bodies]
    return uvloop.run(_measure(port, requests, connections, seconds))


async def _measure(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    await asyncio.gather(*(_repeat(port, requests, _WARM_UP_SECONDS) for _ in range(connections)))
    started = time.perf_counter()
    per_connection = await asyncio.gather(
        *(_repeat(port, requests, seconds) for _ in range(connections))
    )
    return Load(time.perf_counter() - started, np.concatenate(per_connection))


async def _repeat(port: int, requests: Sequence[bytes], seconds: float) -> list[float]:
    reader, writer = await asyncio.open_connection(HOST, port, limit=2**24)
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    for request in itertools.cycle(requests):
        sent = time.perf_counter()
        if sent >= end:
            break
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        lower = head.lower()
        start = lower.index(b"content-length:") + 15
        await reader.readexactly(int(lower[start : lower.index(b"\r", start)]))
        latencies.append(time.perf_counter() - sent)
    writer.close()
    return latencies
