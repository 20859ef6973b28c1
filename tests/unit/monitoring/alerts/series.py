"""Series for `promtool test rules`: a sample a minute, ill for some minutes after an hour."""

from collections.abc import Callable, Iterable
from itertools import accumulate, chain, repeat

HOUR = 60
LENGTH = 3 * HOUR

# How long a value holds, in minutes, and the value; None: there is no sample.
Phase = tuple[int, float | None]
# Samples, given for how many minutes something is ill.
Samples = Callable[[int], str]
Series = dict[str, Samples]


def gauge(well: float | None, ill: float | None, end: float | None) -> Samples:
    """Return the samples of a gauge: an hour well, then ill for some minutes, and mended."""
    return lambda minutes: _text(_phases(well, ill, end, minutes))


def constant(value: float) -> Samples:
    """Return samples that stay as they are."""
    return gauge(value, value, value)


def counter(well: float, ill: float, end: float) -> Samples:
    """Return the samples of a counter that rises by so much a minute."""
    return lambda minutes: _text(
        accumulate((value or 0 for value in _phases(well, ill, end, minutes)), initial=0)
    )


def given(*phases: Phase) -> Samples:
    """Return the samples of a gauge, however long something is ill."""
    return lambda _minutes: _text(_each(phases))


def instants(interval_seconds: int) -> Samples:
    """Return when something last happened: at each interval, but not while it is ill."""

    def samples(minutes: int) -> str:
        happened = [minute * 60 // interval_seconds * interval_seconds for minute in range(LENGTH)]
        return _text(
            min(at, HOUR * 60) if minute < HOUR + minutes else at
            for minute, at in enumerate(happened)
        )

    return samples


def until_ill(samples: Samples) -> Samples:
    """Return the same samples, which end as something gets ill and do not come back."""
    return lambda _minutes: " ".join(samples(0).split()[:HOUR])


def _phases(
    well: float | None, ill: float | None, end: float | None, minutes: int
) -> Iterable[float | None]:
    return _each([(HOUR, well), (minutes, ill), (LENGTH - HOUR - minutes, end)])


def _each(phases: Iterable[Phase]) -> Iterable[float | None]:
    return chain.from_iterable(repeat(value, minutes) for minutes, value in phases)


def _text(values: Iterable[float | None]) -> str:
    return " ".join("_" if value is None else f"{value:g}" for value in values)
