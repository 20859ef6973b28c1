"""Read what comes next while what came before is worked on."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import LifoQueue
from typing import Generic, TypeVar

Reader = TypeVar("Reader")
Read = TypeVar("Read")


class Readers(Generic[Reader]):
    """
    Readers of one source, none of which reads two things at once.

    Args:
        first: One that there is already; whoever opened it closes it.
        open_another: Opens one more, in the thread that needs it.
        count: Most of them, the first included.
    """

    def __init__(
        self,
        first: Reader,
        open_another: Callable[[], contextlib.AbstractContextManager[Reader]],
        *,
        count: int,
    ) -> None:
        self._open_another = open_another
        self._count = count
        # Those that are open are taken before those that are not.
        self._free: LifoQueue[Reader | None] = LifoQueue()
        for reader in (*[None] * (count - 1), first):
            self._free.put(reader)
        self._opened = contextlib.ExitStack()

    def __enter__(self) -> "Readers[Reader]":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def read(self, task: Callable[[Reader], Read]) -> Read:
        """Return what a task reads; wait for a reader, if all read."""
        reader = self._free.get()
        try:
            if reader is None:
                reader = self._opened.enter_context(self._open_another())
            return task(reader)
        finally:
            self._free.put(reader)

    @contextlib.contextmanager
    def read_ahead(self, tasks: Sequence[Callable[[Reader], Read]]) -> Iterator[Iterator[Read]]:
        """
        Yield the results of tasks, in their order; they are read within the block.

        Args:
            tasks: What to read. No more results wait than there are readers.
        """
        pool = ThreadPoolExecutor(self._count)
        try:
            yield self._results(pool, tasks)
        finally:
            pool.shutdown(cancel_futures=True)

    def _results(
        self, pool: ThreadPoolExecutor, tasks: Sequence[Callable[[Reader], Read]]
    ) -> Iterator[Read]:
        waiting: deque[Future[Read]] = deque()
        for task in tasks:
            waiting.append(pool.submit(self.read, task))
            if len(waiting) > self._count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
