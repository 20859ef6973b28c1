"""Read what comes next while what came before is worked on."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

Reader = TypeVar("Reader")
Read = TypeVar("Read")


def read_ahead(
    readers: Sequence[Reader], tasks: Sequence[Callable[[Reader], Read]]
) -> Iterator[Read]:
    """
    Yield the results of tasks, in their order.

    Args:
        readers: As many tasks are carried out at a time; none reads for two at once.
        tasks: What to read. No more results wait than there are readers.
    """
    free: SimpleQueue[Reader] = SimpleQueue()
    for reader in readers:
        free.put(reader)

    def carry_out(task: Callable[[Reader], Read]) -> Read:
        reader = free.get()
        try:
            return task(reader)
        finally:
            free.put(reader)

    waiting: deque[Future[Read]] = deque()
    with ThreadPoolExecutor(len(readers)) as pool:
        for task in tasks:
            waiting.append(pool.submit(carry_out, task))
            if len(waiting) > len(readers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
