"""Tasks that go on when nobody waits for them any more."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class UnattendedTasks(Generic[T]):
    """Keeps tasks until they end; what becomes of them is told to whoever still waits, if any."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[T]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[T]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # or asyncio would log that nobody asked
