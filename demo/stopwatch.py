"""Announces each step of the demo, and remembers how long it took."""

import contextlib
from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from foundation import clock
from foundation.cli import console


class Stopwatch:
    """Times the steps in their order."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step and time it."""
        console.rule(Text(f"{len(self._seconds) + 1}. {title}", "bold"), align="left")
        started = clock.now()
        yield
        self._seconds[title] = (clock.now() - started).total_seconds()

    def table(self) -> Table:
        """Return the steps with their durations."""
        table = Table(title="Where the time went", show_footer=True)
        table.add_column("step", footer="all")
        table.add_column("seconds", justify="right", footer=f"{sum(self._seconds.values()):.1f}")
        for title, seconds in self._seconds.items():
            table.add_row(title, f"{seconds:.1f}")
        return table
