"""Where the gateway's metrics are registered, gathered and exposed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.metrics_core import Metric

from serving_gateway.process_metrics import ProcessMetrics
from serving_gateway.shared_metrics import living_processes, shared_exposition
from serving_gateway.tallies import CounterTally, GatheredHistogram, HistogramTally

Labels = tuple[str, ...]
LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Tally(Protocol):
    """Gathers what metrics are to tell."""

    def hand_over(self) -> None:
        """Let the metrics tell it."""


class MetricRegistry:
    """
    Makes metrics, and exposes them.

    Args:
        shared: Where worker processes share their metrics; None if there is just one.

    Attributes:
        registry: That of Prometheus' client, for metrics that are made elsewhere.
    """

    def __init__(self, shared: Path | None = None) -> None:
        self._shared = shared
        self.registry = CollectorRegistry()
        self._tallies: list[Tally] = []

    def counter(self, name: str, description: str, labels: Labels) -> Counter:
        """Return a new counter."""
        return Counter(name, description, labels, registry=self.registry)

    def gauge(
        self,
        name: str,
        description: str,
        labels: Labels = (),
        *,
        of_several: Literal["livemax", "livemin"] = "livemax",
    ) -> Gauge:
        """Return a new gauge; of several worker processes, the one that is worst off is told."""
        return Gauge(
            name, description, labels, registry=self.registry, multiprocess_mode=of_several
        )

    def tally(self, name: str, description: str, labels: Labels) -> CounterTally:
        """Return a new counter of what happens at every request."""
        tally = CounterTally(self.counter(name, description, labels))
        self._tallies.append(tally)
        return tally

    def histogram(
        self,
        name: str,
        description: str,
        labels: Labels,
        buckets: tuple[float, ...] = LATENCY_BUCKETS,
    ) -> HistogramTally:
        """Return a new histogram of what happens at every request."""
        tally = HistogramTally(self.gathered_histogram(name, description, labels, buckets))
        self._tallies.append(tally)
        return tally

    def gathered_histogram(
        self,
        name: str,
        description: str,
        labels: Labels,
        buckets: tuple[float, ...] = LATENCY_BUCKETS,
    ) -> GatheredHistogram:
        """Return a new histogram that somebody else gathers observations for."""
        return GatheredHistogram(name, description, labels, buckets=buckets, registry=self.registry)

    def gather(self, tally: Tally) -> None:
        """Have a tally hand over what it has gathered, when the others do."""
        self._tallies.append(tally)

    def hand_over(self) -> None:
        """Let the metrics tell what was gathered since the last time."""
        for tally in self._tallies:
            tally.hand_over()

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format; those of other processes, of late."""
        self.hand_over()
        if self._shared is None:
            ours = CollectorRegistry()
            ours.register(_WithoutBeginnings(self.registry))
            return generate_latest(ours) + ProcessMetrics().exposition()
        processes = ProcessMetrics(living_processes(self._shared))
        return shared_exposition(self.registry, self._shared) + processes.exposition()


class _WithoutBeginnings:
    """
    The metrics of a registry without the instants at which each series began.

    To Prometheus those are as many series again.

    Args:
        registry: The registry.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Return them."""
        for metric in self._registry.collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric
