"""One connection to Redis that sends commands ahead of answers, for reads that never cease."""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Any

import hiredis
import redis
import redis.asyncio

from foundation.redis_commands import Keys, command, mget_command

# A connection that owes an answer for so long is dead, even if nobody has said so.
_LONGEST_SILENCE_SECONDS = 1.0

# Other commands wait while a script runs.
_KEYS_PER_SCRIPT = 1_000
_EXPIRIES = """
local found = {}
for i = 1, #KEYS do
    found[i] = redis.call('PEXPIRETIME', KEYS[i])
end
return found
"""


class PipelinedReads:
    """
    Reads by key; requests at one time share a connection, and their answers come in order.

    The client's own way takes three times as long: it packs commands in Python, and takes a
    connection from its pool and puts it back for each.

    Args:
        client: Of one node; makes the connections, with all that its URL says.
    """

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._connecting = asyncio.Lock()
        self._link: _Link | None = None

    async def mget(self, keys: Sequence[Keys]) -> list[bytes | None]:
        """
        Return the values of keys, None for those that have none.

        Raises:
            redis.RedisError: Redis can't be reached, refuses, or answers what is no answer.
        """
        return await self._ask(mget_command(keys))

    async def expiries(self, keys: Sequence[str]) -> list[int]:
        """
        Return when keys expire, in milliseconds since the epoch; negative for missing ones.

        Raises:
            redis.RedisError: As for `mget`.
        """
        parts = [keys[n : n + _KEYS_PER_SCRIPT] for n in range(0, len(keys), _KEYS_PER_SCRIPT)]
        asked = [self._ask(expiries_command(part)) for part in parts]
        return list(chain.from_iterable(await asyncio.gather(*asked)))

    async def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.hang_up("closed")
            await self._link.closed.wait()
        await self._client.aclose()

    async def _ask(self, packed: bytes) -> list[Any]:
        link = self._link
        if link is None or not link.is_sound():
            link = await self._connected()
        return await link.ask(packed)

    async def _ask_all(self, packed: Sequence[bytes]) -> list[list[Any] | BaseException]:
        """Return the answer to each command, or what went wrong with it."""
        link = await self._connected()
        return await asyncio.gather(*map(link.ask, packed), return_exceptions=True)

    async def _connected(self) -> "_Link":
        async with self._connecting:
            if self._link is None or not self._link.is_sound():
                if self._link is not None:
                    self._link.hang_up("no answer")
                connection = self._client.connection_pool.make_connection()
                await connection.connect()
                self._link = _Link(connection)
            return self._link


def expiries_command(keys: Sequence[str]) -> bytes:
    """Return the command that asks when keys expire."""
    return command("EVAL", _EXPIRIES, str(len(keys)), *keys)


class _Link(asyncio.Protocol):
    """The connection, and who waits for its answers, in order."""

    def __init__(self, connection: redis.asyncio.Connection) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self.closed = asyncio.Event()
        # There is no public way to what is below.
        self._transport: asyncio.Transport = connection._writer.transport  # noqa: SLF001
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[asyncio.Future[list[Any]], float]] = deque()
        self._unsent: list[bytes] = []
        self._transport.set_protocol(self)

    def is_sound(self) -> bool:
        """Tell whether the connection is open, and answers."""
        if self._transport.is_closing():
            return False
        silent_since = self._waiting[0][1] if self._waiting else None
        return silent_since is None or self._loop.time() - silent_since < _LONGEST_SILENCE_SECONDS

    def ask(self, packed: bytes) -> asyncio.Future[list[Any]]:
        """Send a command; its answer will be the future's result."""
        answer: asyncio.Future[list[Any]] = self._loop.create_future()
        self._waiting.append((answer, self._loop.time()))
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(packed)
        return answer

    def _send(self) -> None:
        """Send what requests have asked since the loop's last turn: one system call for all."""
        self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Give answers to those who wait for them."""
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not False:
                waiting, _ = self._waiting.popleft()
                if waiting.done():  # whoever asked has left
                    continue
                if isinstance(answer, hiredis.ReplyError):
                    waiting.set_exception(redis.ResponseError(str(answer)))
                elif isinstance(answer, list):
                    waiting.set_result(answer)
                else:
                    waiting.set_exception(redis.InvalidResponse("not a list of values"))
        except (hiredis.ProtocolError, IndexError) as error:
            self.hang_up(f"not Redis' protocol: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait that there will be no answer."""
        self._fail(f"connection lost: {exc or 'closed by Redis'}")
        self._parting = self._loop.create_task(self._part())

    def hang_up(self, reason: str) -> None:
        """Close the connection; those who wait are told."""
        self._transport.abort()
        self._fail(reason)

    async def _part(self) -> None:
        await self._connection.disconnect(nowait=True)
        self.closed.set()

    def _fail(self, reason: str) -> None:
        while self._waiting:
            waiting, _ = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(redis.ConnectionError(reason))
