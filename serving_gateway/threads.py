"""Threads for blocking work of one kind, so that no other kind waits for it."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from foundation.errors import StoreUnavailable

T = TypeVar("T")


class Threads:
    """
    A few threads, and a few places to wait for them.

    Args:
        name: What they do, for errors and debuggers.
        count: How many there are.
        places: How much work may wait for one; more is refused, for it would wait in vain.
    """

    def __init__(self, name: str, *, count: int, places: int) -> None:
        self._name = name
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._free = threading.Semaphore(count + places)

    async def run(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:  # noqa: ANN401 - the work's
        """
        Do some work in a thread; whoever leaves meanwhile takes back what has not begun.

        Raises:
            StoreUnavailable: Too much waits already.
        """
        if not self._free.acquire(blocking=False):
            raise StoreUnavailable(f"too much {self._name} at a time")
        future = self._executor.submit(partial(work, *args, **kwargs))
        future.add_done_callback(lambda _: self._free.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Begin nothing more, and wait for nothing."""
        self._executor.shutdown(wait=False, cancel_futures=True)
