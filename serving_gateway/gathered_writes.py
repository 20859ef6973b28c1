"""Writes of one turn of the event loop, sent together."""

import asyncio
from typing import Any


class GatheredWrites:
    """
    A transport that sends what is written within one turn of the event loop as one piece.

    uvicorn writes the head of an answer and then its body: a system call and a packet for each, and
    often two awakenings of the client.

    Args:
        transport: Sends the pieces, and does all else.
        loop: The event loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send this with what is written before the loop turns."""
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(data)

    def close(self) -> None:
        """Send what waits, and hang up."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._waiting:
            self._transport.write(b"".join(self._waiting))
            self._waiting.clear()
