"""A server in front of another: adds encryption, or is taken down while the other runs on."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from foundation.endpoints import resolve_endpoints
from foundation.settings import Settings

_STARTTLS_BYTES = 8  # PostgreSQL's SSLRequest
_SETTLING_SECONDS = 0.1


def postgres_socket(settings: Settings) -> Path:
    """Return the Unix socket of the embedded PostgreSQL."""
    parameters = _postgres_parameters(settings)
    return Path(str(parameters["host"])) / f".s.PGSQL.{parameters.get('port') or 5432}"


def url_through(settings: Settings, port: int, query: str = "") -> str:
    """Return the URL of the embedded PostgreSQL, as reached through a front."""
    parameters = _postgres_parameters(settings)
    return f"postgresql://{parameters['user']}@localhost:{port}/{parameters['dbname']}{query}"


def _postgres_parameters(settings: Settings) -> dict[str, Any]:
    return dict(conninfo_to_dict(resolve_endpoints(settings).postgres_url.get_secret_value()))


class Front:
    """
    Passes on what comes to a port of its own.

    Args:
        upstream: Unix socket of the server behind.
        encryption: How to encrypt; None for not at all.
        starts_plain: Whether clients ask for encryption first, as PostgreSQL's do.
    """

    def __init__(
        self, upstream: Path, encryption: ssl.SSLContext | None, *, starts_plain: bool
    ) -> None:
        self._upstream = upstream
        self._encryption = encryption
        self._starts_plain = starts_plain
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.port = 0

    async def run(self, started: Future[None], stop: asyncio.Event) -> None:
        """Serve until told to stop, then drop every connection."""
        at_once = None if self._starts_plain else self._encryption
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=at_once)
        self.port = server.sockets[0].getsockname()[1]
        started.set_result(None)
        await stop.wait()
        server.close()
        # A connection that came just now is served some turns of the loop later.
        await asyncio.sleep(_SETTLING_SECONDS)
        while serving := asyncio.all_tasks() - {asyncio.current_task()}:
            for writer in self._open.values():
                writer.transport.abort()
            await asyncio.wait(serving, timeout=_SETTLING_SECONDS)
        # Aborted transports are closed in the loop's next turns.
        await asyncio.sleep(_SETTLING_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if self._starts_plain and self._encryption is not None:
                await reader.readexactly(_STARTTLS_BYTES)
                writer.write(b"S")
                await writer.start_tls(self._encryption)
            back_reader, back_writer = await asyncio.open_unix_connection(str(self._upstream))
            await asyncio.gather(_pass(reader, back_writer), _pass(back_reader, writer))
        writer.close()
        del self._open[task]


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def running_front(
    upstream: Path, encryption: ssl.SSLContext | None = None, *, starts_plain: bool = False
) -> Iterator[int]:
    """Run a front in a thread, and yield its port; the block's end takes it down."""
    front = Front(upstream, encryption, starts_plain=starts_plain)
    started: Future[None] = Future()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(front.run(started, stop)))
    thread.start()
    try:
        started.result(timeout=10)
        yield front.port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
