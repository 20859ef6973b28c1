"""Reads share a connection; each gets its own answer, or an error, whatever happens to it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis
import redis.asyncio

from foundation.redis import connect_async
from foundation.redis_commands import Keys
from foundation.redis_pipeline import PipelinedReads
from foundation.settings import Settings


@pytest.fixture
async def reads(settings: Settings, valkey: redis.Redis) -> AsyncIterator[PipelinedReads]:
    """Yield reads of a Valkey that holds the numbers below a thousand."""
    valkey.mset({str(number): number for number in range(1_000)})
    client = connect_async(settings)
    assert isinstance(client, redis.asyncio.Redis)
    reads = PipelinedReads(client)
    yield reads
    await reads.close()
    await client.aclose()


async def test_each_gets_its_own_answer(reads: PipelinedReads, valkey: redis.Redis) -> None:
    """Many at a time, over one connection."""
    before = {each["id"] for each in valkey.client_list()}
    answers = await asyncio.gather(
        *(reads.mget([Keys.unlike([str(n), "none"])]) for n in range(500))
    )
    assert answers == [[str(n).encode(), None] for n in range(500)]
    assert len({each["id"] for each in valkey.client_list()} - before) == 1


async def test_who_leaves_takes_nobody_elses_answer(reads: PipelinedReads) -> None:
    """The answers after it are still those of the others."""
    tasks = [asyncio.create_task(reads.mget([Keys.unlike([str(n)])])) for n in range(100)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for number, answer in enumerate(answers):
        assert (answer == [str(number).encode()]) == (number % 3 != 0)


async def test_a_lost_connection_is_made_anew(reads: PipelinedReads, valkey: redis.Redis) -> None:
    """Redis hangs up; the next read finds it again."""
    assert await reads.mget([Keys.unlike(["1"])]) == [b"1"]
    valkey.client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(0.05)
    assert await reads.mget([Keys.unlike(["1"])]) == [b"1"]


async def test_a_refusal_is_the_refused_ones_only(
    reads: PipelinedReads, valkey: redis.Redis
) -> None:
    """An error as an answer leaves the connection as it is."""
    valkey.set("number", 1)
    with pytest.raises(redis.ResponseError, match="wrong number"):
        await reads.mget([])
    assert await reads.mget([Keys.unlike(["number"])]) == [b"1"]


async def test_what_is_no_protocol_is_an_error() -> None:
    """Not an answer, and not a wait."""

    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        client = redis.asyncio.Redis(port=server.sockets[0].getsockname()[1])
        reads = PipelinedReads(client)
        with pytest.raises(redis.RedisError):
            await reads.mget([Keys.unlike(["1"])])
        await reads.close()
        await client.aclose()


async def test_a_connection_that_is_silent_for_long_is_given_up() -> None:
    """A network that swallows everything must not hold all who come later."""
    connections = 0

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while b"MGET" not in (received := await reader.read(65_536)) and received:
            writer.write(b"+OK\r\n" * received.count(b"CLIENT"))  # the greeting is answered
        await reader.read()
        writer.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
        client = redis.asyncio.Redis(port=server.sockets[0].getsockname()[1])
        reads = PipelinedReads(client)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.1):
                    await reads.mget([Keys.unlike(["1"])])
        assert connections == 2
        await reads.close()
        await client.aclose()
