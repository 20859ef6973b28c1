"""Work that takes too long is ended, as by `asyncio.timeout`."""

import asyncio
import time

import pytest

from serving_gateway.tiers.time_limit import TimeLimit

# Longer than any test takes, and shorter than any wait.
LONG, SHORT = 600.0, 0.02


async def _sleep(seconds: float = LONG) -> str:
    await asyncio.sleep(seconds)
    return "done"


async def test_work_in_time_is_not_disturbed() -> None:
    """Neither while it runs nor after, however many limits run out beside it."""
    limit = TimeLimit()
    slow = [asyncio.create_task(limit.run(_sleep, SHORT)) for _ in range(3)]
    quick = [asyncio.create_task(limit.run(lambda: _sleep(0.0), LONG)) for _ in range(3)]
    assert await asyncio.gather(*quick) == ["done"] * 3
    results = await asyncio.gather(*slow, return_exceptions=True)
    assert [type(result) for result in results] == [TimeoutError] * 3
    assert await limit.run(lambda: _sleep(2 * SHORT), LONG) == "done"


async def test_each_has_its_own_limit() -> None:
    """What began later ends later, on one timer; a task may go on after it."""
    limit = TimeLimit()
    ended = []

    async def work(delay: float) -> None:
        await asyncio.sleep(delay)
        began = time.perf_counter()
        with pytest.raises(TimeoutError):
            await limit.run(_sleep, SHORT)
        ended.append(time.perf_counter() - began)
        await asyncio.sleep(0)

    await asyncio.gather(*(work(delay) for delay in (0.0, SHORT / 2, 3 * SHORT)))
    assert min(ended) >= SHORT * 0.9


async def test_who_cancels_the_task_is_heard() -> None:
    """It is no timeout, even if the limit has just run out, too."""
    limit = TimeLimit()
    task = asyncio.create_task(limit.run(_sleep, LONG))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()

    both = asyncio.create_task(limit.run(_sleep, 0.0))
    await asyncio.sleep(0)
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both


async def test_limits_may_stand_within_each_other() -> None:
    """The one that ran out is the one that tells."""
    limit, inner = TimeLimit(), TimeLimit()

    async def within() -> str:
        with pytest.raises(TimeoutError):
            await inner.run(_sleep, SHORT)
        return "went on"

    assert await limit.run(within, LONG) == "went on"
    with pytest.raises(TimeoutError):
        await limit.run(lambda: inner.run(_sleep, LONG), SHORT)


async def test_failures_of_the_work_are_its_own() -> None:
    """They pass, also when it fails because it is ended; the task is not taken for cancelled."""
    limit = TimeLimit()

    async def fail() -> str:
        try:
            return await _sleep()
        finally:
            raise ValueError("it fails")

    with pytest.raises(ValueError, match="it fails"):
        await limit.run(fail, SHORT)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
