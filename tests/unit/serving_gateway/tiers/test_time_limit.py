"""Work that takes too long is ended, as by `asyncio.timeout`, on either kind of event loop."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from serving_gateway.tiers.time_limit import TimeLimit

# Longer than any test takes, and shorter than any wait.
LONG, SHORT = 600.0, 0.02

Run = Callable[[Coroutine[Any, Any, None]], None]
on_either_loop = pytest.mark.parametrize(
    "run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"]
)


async def _sleep(seconds: float = LONG) -> str:
    await asyncio.sleep(seconds)
    return "done"


@on_either_loop
def test_work_in_time_is_not_disturbed(run: Run) -> None:
    """Neither while it runs nor after, when its own limit is over."""

    async def check() -> None:
        limit = TimeLimit()
        slow = [asyncio.create_task(limit.run(_sleep, SHORT)) for _ in range(3)]
        for _ in range(3):
            assert await limit.run(lambda: _sleep(0.0), SHORT) == "done"
            assert await _sleep(2 * SHORT) == "done"
        results = await asyncio.gather(*slow, return_exceptions=True)
        assert [type(result) for result in results] == [TimeoutError] * 3
        assert await limit.run(lambda: _sleep(2 * SHORT), LONG) == "done"

    run(check())


@on_either_loop
def test_each_has_its_own_limit(run: Run) -> None:
    """However close to each other, and in whatever order; a task may go on after it."""

    async def check() -> None:
        limit = TimeLimit()

        async def work(number: int) -> float:
            await asyncio.sleep(0.0003 * number)
            began, seconds = time.perf_counter(), SHORT * (1 + number % 3)
            with pytest.raises(TimeoutError):
                await limit.run(_sleep, seconds)
            took = time.perf_counter() - began
            assert await limit.run(lambda: _sleep(0.0), SHORT) == "done"
            await asyncio.sleep(SHORT)
            return took - seconds

        late = await asyncio.gather(*(work(number) for number in range(200)))
        assert min(late) > -0.005
        assert sorted(late)[100] < SHORT

    run(check())


@on_either_loop
def test_who_cancels_the_task_is_heard(run: Run) -> None:
    """It is no timeout, even if the limit runs out while the task ends."""

    async def linger() -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(3 * SHORT)

    async def check() -> None:
        limit = TimeLimit()
        for seconds, work in ((LONG, _sleep), (SHORT, linger)):
            task = asyncio.create_task(limit.run(work, seconds))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()

    run(check())


@on_either_loop
def test_limits_may_stand_within_each_other(run: Run) -> None:
    """The one that ran out is the one that tells."""

    async def check() -> None:
        limit, inner = TimeLimit(), TimeLimit()

        async def within() -> str:
            with pytest.raises(TimeoutError):
                await inner.run(_sleep, SHORT)
            return "went on"

        assert await limit.run(within, LONG) == "went on"
        with pytest.raises(TimeoutError):
            await limit.run(lambda: inner.run(_sleep, LONG), SHORT)

    run(check())


@on_either_loop
def test_failures_of_the_work_are_its_own(run: Run) -> None:
    """They pass, also when it fails because it is ended; the task is not taken for cancelled."""

    async def fail() -> str:
        try:
            return await _sleep()
        finally:
            raise ValueError("it fails")

    async def check() -> None:
        with pytest.raises(ValueError, match="it fails"):
            await TimeLimit().run(fail, SHORT)
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    run(check())
