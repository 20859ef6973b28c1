"""A line to a server that can be cut, slowed down, held, or filled with noise."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from enum import Enum, auto
from pathlib import Path

_NOISE = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
_SLOW_SECONDS = 1.0
_SETTLING_SECONDS = 0.1


class State(Enum):
    """What happens to what is sent."""

    SOUND = auto()
    CUT = auto()
    SLOW = auto()
    SILENT = auto()
    NOISY = auto()


class FaultyLine:
    """
    Passes on what comes to a port of its own, as far as its state lets it.

    Args:
        upstream: Unix socket of the server behind.
    """

    def __init__(self, upstream: Path) -> None:
        self._upstream = upstream
        self._state = State.SOUND
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    def become(self, state: State) -> None:
        """Change what happens; connections that are cut stay so."""
        self._loop.call_soon_threadsafe(self._become, state)

    def end(self) -> None:
        """Drop every connection, and serve no more."""
        self._loop.call_soon_threadsafe(self._stop.set)

    def run(self, started: Future[None]) -> None:
        """Serve until told to stop."""
        self._loop.run_until_complete(self._run(started))
        self._loop.close()

    def _become(self, state: State) -> None:
        self._state = state
        self._changed.set()
        self._changed.clear()
        if state is State.CUT:
            for writer in self._writers:
                writer.transport.abort()

    async def _run(self, started: Future[None]) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set_result(None)
        await self._stop.wait()
        server.close()
        # A connection that came just now is served some turns of the loop later.
        await asyncio.sleep(_SETTLING_SECONDS)
        for writer in self._writers:
            writer.transport.abort()
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Aborted transports are closed in the loop's next turns.
        await asyncio.sleep(_SETTLING_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state is State.CUT:
            writer.transport.abort()
            return
        back_reader, back_writer = await asyncio.open_unix_connection(str(self._upstream))
        self._writers |= {writer, back_writer}
        try:
            # At the end, asyncio would complain of a connection's task that was cancelled.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(
                    self._pass(reader, back_writer, is_answer=False),
                    self._pass(back_reader, writer, is_answer=True),
                )
        finally:
            for each in (writer, back_writer):
                self._writers.discard(each)
                each.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                while self._state is State.SILENT:
                    await self._changed.wait()
                if is_answer and self._state is State.SLOW:
                    await asyncio.sleep(_SLOW_SECONDS)
                writer.write(_NOISE if is_answer and self._state is State.NOISY else data)
                await writer.drain()
            writer.close()


@contextlib.contextmanager
def faulty_line(upstream: Path) -> Iterator[FaultyLine]:
    """Run a line in a thread, and yield it; the block's end takes it down."""
    line = FaultyLine(upstream)
    started: Future[None] = Future()
    thread = threading.Thread(target=line.run, args=[started])
    thread.start()
    try:
        started.result(timeout=10)
        yield line
    finally:
        line.end()
        thread.join()
