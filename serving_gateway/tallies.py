"""
Counts and observations added up in plain memory, and handed to Prometheus' client now and then.

The client takes microseconds for each, a lock, and in worker processes a write to a file: more than
a twentieth of a small request.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from prometheus_client import Counter, Histogram

Labels = tuple[str | int, ...]


class CounterTally:
    """
    Adds up what a counter is to count.

    Args:
        counter: Gets the sums.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._sums: defaultdict[Labels, int] = defaultdict(int)

    def add(self, labels: Labels, count: int = 1) -> None:
        """Count; the labels' values are in the counter's order."""
        self._sums[labels] += count

    def hand_over(self) -> None:
        """Give the sums to the counter."""
        for labels, count in self._sums.items():
            self._counter.labels(*labels).inc(count)
        self._sums.clear()


class GatheredHistogram(Histogram):
    """A histogram that takes many observations at once."""

    @property
    def bounds(self) -> Sequence[float]:
        """The upper bounds of its buckets; the last one is infinite."""
        return self._upper_bounds

    def observe_all(self, counts: Sequence[int], total: float) -> None:
        """
        Take observations.

        Args:
            counts: How many of them belong to each bucket.
            total: Their sum.
        """
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class HistogramTally:
    """
    Gathers what a histogram is to observe.

    Args:
        histogram: Gets it.
    """

    def __init__(self, histogram: GatheredHistogram) -> None:
        self._histogram = histogram
        self._bounds = histogram.bounds
        self._counts: defaultdict[Labels, list[int]] = defaultdict(lambda: [0] * len(self._bounds))
        self._totals: defaultdict[Labels, float] = defaultdict(float)

    def add(self, labels: Labels, amount: float) -> None:
        """Observe; the labels' values are in the histogram's order."""
        self._counts[labels][bisect_left(self._bounds, amount)] += 1
        self._totals[labels] += amount

    def hand_over(self) -> None:
        """Give the observations to the histogram."""
        for labels, counts in self._counts.items():
            self._histogram.labels(*labels).observe_all(counts, self._totals[labels])
        self._counts.clear()
        self._totals.clear()
