"""Blocking work of one kind waits for its own kind only."""

import asyncio
import threading

import pytest

from foundation.errors import StoreUnavailable
from serving_gateway.threads import Threads


async def test_work_is_done_in_a_thread() -> None:
    """Its result or error comes back."""
    threads = Threads("testing", count=1, places=0)
    name = await threads.run(lambda: threading.current_thread().name)
    assert name.startswith("testing")
    assert await threads.run(int, "11", base=2) == 3
    with pytest.raises(ValueError, match="invalid"):
        await threads.run(int, "x")
    threads.close()


async def test_what_would_wait_too_long_is_refused() -> None:
    """As many as there are places wait; when the work is done, there is room again."""
    threads = Threads("testing", count=1, places=1)
    is_over = threading.Event()
    busy = [asyncio.create_task(threads.run(is_over.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="too much testing"):
        await threads.run(is_over.wait)
    is_over.set()
    assert await asyncio.gather(*busy) == [True, True]
    assert await threads.run(is_over.wait)
    threads.close()


async def test_who_leaves_makes_room() -> None:
    """What has not begun never will, and what has is in the way until it is over."""
    threads = Threads("testing", count=1, places=1)
    is_over, begun = threading.Event(), threading.Semaphore(0)

    def work(number: int) -> int:
        begun.release()
        is_over.wait()
        return number

    running, waiting = (asyncio.create_task(threads.run(work, n)) for n in range(2))
    await asyncio.to_thread(begun.acquire)
    waiting.cancel()
    await asyncio.sleep(0)
    last = asyncio.create_task(threads.run(work, 2))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await threads.run(work, 3)
    is_over.set()
    assert await last == 2
    assert begun.acquire(blocking=False)  # by the last one
    assert not begun.acquire(blocking=False)
    threads.close()
