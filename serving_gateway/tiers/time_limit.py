"""A limit of time for work that is begun thousands of times a second."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

# The finest that a loop's clock may tell apart.
_TICK_SECONDS = 0.001

T = TypeVar("T")


class _Run:
    """Work under way."""

    __slots__ = ("cancellations", "due", "is_overdue", "task")

    def __init__(self, task: "asyncio.Task[object]", due: float) -> None:
        self.task: asyncio.Task[object] | None = task
        self.cancellations = task.cancelling()
        self.due = due
        self.is_overdue = False


class TimeLimit:
    """
    `asyncio.timeout`, with one timer for all that is under way.

    To set a timer for each, and clear it, takes as long as it takes to ask Redis.
    """

    def __init__(self) -> None:
        self._begun: list[_Run] = []
        self._timer: asyncio.Handle | None = None
        self._wakes_at = math.inf

    async def run(self, work: Callable[[], Awaitable[T]], seconds: float) -> T:
        """
        Return what work returns.

        Raises:
            TimeoutError: It took longer, and was cancelled.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a coroutine
        run = _Run(task, asyncio.get_running_loop().time() + seconds)
        try:
            self._watch(run)
            return await work()
        except asyncio.CancelledError as error:
            # Whoever else cancels the task means more than this work.
            if run.is_overdue and task.cancelling() == run.cancellations + 1:
                raise TimeoutError from error
            raise
        finally:
            run.task = None
            if run.is_overdue:
                task.uncancel()

    def _watch(self, run: _Run) -> None:
        self._begun.append(run)
        if run.due < self._wakes_at:
            if self._timer is not None:
                self._timer.cancel()
            self._wake_at(run.due)

    def _wake_at(self, due: float) -> None:
        self._wakes_at = due
        self._timer = asyncio.get_running_loop().call_at(due, self._end_overdue)

    def _end_overdue(self) -> None:
        now = asyncio.get_running_loop().time()
        begun, self._begun = self._begun, []
        for run in begun:
            if run.task is None:
                continue
            if run.due <= now + _TICK_SECONDS:
                run.is_overdue = True
                run.task.cancel()
            else:
                self._begun.append(run)
        self._timer, self._wakes_at = None, math.inf
        if self._begun:
            self._wake_at(min(run.due for run in self._begun))
