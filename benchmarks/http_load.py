"""A small HTTP client that costs less than the servers it measures."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.stage import HOST


@dataclass(frozen=True)
class Load:
    """
    What a server did under load.

    Attributes:
        requests_per_second: Answers divided by the time they took together.
        p50_milliseconds: Half of the answers came within this.
        p99_milliseconds: All but one in a hundred came within this.
    """

    requests_per_second: float
    p50_milliseconds: float
    p99_milliseconds: float


def measure(
    port: int, path: str, body: bytes, *, connections: int, seconds: float, key: str | None = None
) -> Load:
    """Send the same request over and over, on several connections at once, with an API key."""
    return asyncio.run(_measure(port, path, body, connections, seconds, key))


async def _measure(
    port: int, path: str, body: bytes, connections: int, seconds: float, key: str | None
) -> Load:
    head = f"POST {path} HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\n"
    if key is not None:
        head += f"authorization: Bearer {key}\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    await asyncio.gather(*(_repeat(port, request, 0.5) for _ in range(connections)))  # warms up
    started = time.perf_counter()
    per_connection = await asyncio.gather(
        *(_repeat(port, request, seconds) for _ in range(connections))
    )
    elapsed = time.perf_counter() - started
    latencies = np.concatenate(per_connection) * 1_000
    p50, p99 = np.percentile(latencies, [50, 99])
    return Load(len(latencies) / elapsed, float(p50), float(p99))


async def _repeat(port: int, request: bytes, seconds: float) -> list[float]:
    reader, writer = await asyncio.open_connection(HOST, port, limit=2**24)
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    while (sent := time.perf_counter()) < end:
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
