"""The steps of a run: measured, and traced."""

import contextlib
from collections.abc import Iterator

from foundation import clock
from foundation.tracing import span


class Steps:
    """
    Measures the steps of a run, and traces them, also one that fails.

    Attributes:
        seconds: How long each took that did not fail.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take the block for a step."""
        started = clock.now()
        with span(name):
            yield
        self.seconds[name] = (clock.now() - started).total_seconds()
