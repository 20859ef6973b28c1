"""Writes of one turn of the event loop."""

import asyncio
from typing import cast

from serving_gateway.gathered_writes import GatheredWrites


class Sink:
    """Takes what a socket's transport would send."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        """Take a piece."""
        assert not self.is_closed
        self.pieces.append(data)

    def close(self) -> None:
        """Take no more."""
        self.is_closed = True

    def is_closing(self) -> bool:
        """Whether it takes no more."""
        return self.is_closed


def gathered(sink: Sink) -> GatheredWrites:
    """Return what gathers writes to a sink."""
    return GatheredWrites(cast("asyncio.Transport", sink), asyncio.get_running_loop())


async def test_writes_of_one_turn_are_one_piece() -> None:
    """And those of the next turn are the next one."""
    sink = Sink()
    transport = gathered(sink)
    transport.write(b"head ")
    transport.write(b"body")
    assert sink.pieces == []
    await asyncio.sleep(0)
    transport.write(b"more")
    await asyncio.sleep(0)
    assert sink.pieces == [b"head body", b"more"]


async def test_hanging_up_sends_what_waits() -> None:
    """Once, and before the connection is closed."""
    sink = Sink()
    transport = gathered(sink)
    transport.write(b"head ")
    transport.write(b"body")
    transport.close()
    await asyncio.sleep(0)
    assert sink.pieces == [b"head body"]
    assert transport.is_closing()
