"""Series for `promtool test rules`: one sample a minute."""

from collections.abc import Sequence
from itertools import accumulate, chain, repeat

# How long a value holds, in minutes, and the value; None: there is no sample.
Phases = Sequence[tuple[int, float | None]]
Series = dict[str, str]


def gauge(*phases: tuple[int, float | None]) -> str:
    """Return the samples of a gauge."""
    return " ".join("_" if value is None else f"{value:g}" for value in _each(phases))


def counter(*phases: tuple[int, float]) -> str:
    """Return the samples of a counter that rises by so much a minute."""
    return " ".join(f"{value:g}" for value in accumulate(_each(phases), initial=0))


def _each(phases: Phases) -> list[float | None]:
    return list(chain.from_iterable(repeat(value, minutes) for minutes, value in phases))
