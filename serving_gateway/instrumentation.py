"""What the gateway measures. Recording is done per column, never per value, and gathered."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from feature_repo.registry.metadata import FeatureVersion
from serving_gateway.reading import Part
from serving_gateway.shared_metrics import shared_exposition
from serving_gateway.tallies import CounterTally, GatheredHistogram, HistogramTally

_LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_AGE_BUCKETS = (1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0)
# Event timestamps of online values cost a second question to Redis for each.
_SECONDS_PER_STALENESS_SAMPLE = 1.0
# Of one column: those of a run are equally old.
_VALUES_PER_STALENESS_SAMPLE = 50


class Instruments:
    """
    The gateway's metrics, in a registry of their own.

    Args:
        shared: Where worker processes share their metrics; None if there is just one.
    """

    def __init__(self, shared: Path | None = None) -> None:
        self._shared = shared
        self.registry = CollectorRegistry()
        self._next_sample = time.monotonic()
        self._tallies: list[CounterTally | HistogramTally] = []
        self._served = self._tally(
            "feature_requests_total",
            "Values served, by the tier they came from.",
            ("feature_name", "version", "served_from"),
        )
        self._missed = self._tally(
            "feature_tier_misses_total",
            "Values that a tier was asked for and did not have.",
            ("feature_name", "version", "tier"),
        )
        self._unavailable = self._counter(
            "feature_tier_unavailable_total", "Reads that a tier could not answer.", ("tier",)
        )
        self._stale = self._counter(
            "feature_stale_values_total",
            "Values served that are older than tolerated.",
            ("feature_name", "version"),
        )
        self._corrupt = self._counter(
            "feature_corrupt_values_total",
            "What a tier holds instead of values: no JSON, or of another type.",
            ("feature_name", "version", "tier"),
        )
        self._deprecated = self._counter(
            "feature_deprecated_requests_total",
            "Requests that were served a deprecated version.",
            ("feature_name", "version"),
        )
        self._exposures = self._counter(
            "feature_experiment_exposures_total",
            "Requests that were served a variant of an experiment.",
            ("experiment", "variant"),
        )
        self._written_back = self._counter(
            "feature_write_back_values_total",
            "Values found below Redis that were to be written to a store.",
            ("store", "outcome"),
        )
        self._sampled = self._counter(
            "feature_served_sample_values_total",
            "Values of answers that were to be kept: written, dropped because too many waited, "
            "or failed.",
            ("outcome",),
        )
        self._requests = self._tally(
            "http_requests_total", "Requests answered.", ("route", "method", "status")
        )
        self._retrieval = self._histogram(
            "feature_retrieval_duration_seconds", "Time a tier took for a batch.", ("tier",)
        )
        self._duration = self._histogram(
            "http_request_duration_seconds",
            "Time from a request's arrival to its answer.",
            ("route",),
        )
        self._staleness = self._histogram(
            "feature_staleness_seconds",
            "Age of served values, of a sample.",
            ("feature_name", "version"),
            _AGE_BUCKETS,
        )
        self._catalog_age = self._gauge(
            "feature_catalog_age_seconds", "Time since the catalog was read from the registry."
        )
        self._loop_lag = self._gauge(
            "event_loop_lag_seconds", "How late the event loop has woken what slept, of late."
        )
        self._tier_state = self._gauge(
            "feature_tier_state", "0: reads go to the tier; 1: they are kept off it.", ("tier",)
        )
        self._breakers: dict[str, Callable[[], bool]] = {}

    def observe_retrieval(self, tier: str, seconds: float) -> None:
        """Record how long a tier worked on a batch."""
        self._retrieval.add((tier,), seconds)

    def samples_staleness(self) -> bool:
        """Tell, once in a while, that a request's values should come with their timestamps."""
        now = time.monotonic()
        if now < self._next_sample:
            return False
        self._next_sample = now + _SECONDS_PER_STALENESS_SAMPLE
        return True

    def count_served(self, feature: FeatureVersion, tier: str, count: int) -> None:
        """Count values that a tier served."""
        self._served.add((feature.feature_name, feature.version, tier), count)

    def count_missed(self, feature: FeatureVersion, tier: str, count: int) -> None:
        """Count values that a tier did not have."""
        self._missed.add((feature.feature_name, feature.version, tier), count)

    def observe_staleness(self, feature: FeatureVersion, part: Part, *, now: datetime) -> None:
        """Record how old values are that came with their event timestamps."""
        labels = (feature.feature_name, feature.version)
        timestamps = part.timestamps or ()
        for timestamp in timestamps[:: 1 + len(timestamps) // _VALUES_PER_STALENESS_SAMPLE]:
            if timestamp is not None:
                self._staleness.add(labels, max((now - timestamp).total_seconds(), 0.0))

    def count_stale(self, feature: FeatureVersion, count: int) -> None:
        """Count values that were served, and are older than tolerated."""
        self._stale.labels(feature.feature_name, feature.version).inc(count)

    def count_corrupt(self, feature: FeatureVersion, tier: str, count: int) -> None:
        """Count what a tier holds in place of values, and is not served."""
        self._corrupt.labels(feature.feature_name, feature.version, tier).inc(count)

    def count_deprecated(self, feature: FeatureVersion) -> None:
        """Count a request that was served a version that should not be used any more."""
        self._deprecated.labels(feature.feature_name, feature.version).inc()

    def count_unavailable(self, tier: str) -> None:
        """Count a read that a tier could not answer."""
        self._unavailable.labels(tier).inc()

    def count_exposure(self, experiment: str, variant: str) -> None:
        """Count a request that was served a variant of an experiment."""
        self._exposures.labels(experiment, variant).inc()

    def count_written_back(self, store: str, outcome: str, count: int) -> None:
        """Count values that were to be written to a store."""
        self._written_back.labels(store, outcome).inc(count)

    def count_sampled(self, outcome: str, count: int) -> None:
        """Count values of answers that were to be kept."""
        self._sampled.labels(outcome).inc(count)

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.add((route, method, status))
        self._duration.add((route,), seconds)

    def watch_breaker(self, tier: str, is_open: Callable[[], bool]) -> None:
        """Let a tier's state be recorded with the vital signs."""
        self._breakers[tier] = is_open

    def record_vital_signs(self, *, catalog_age_seconds: float, lag_seconds: float) -> None:
        """Record the state of the catalog, the event loop and the tiers, and what was gathered."""
        self._catalog_age.set(catalog_age_seconds)
        self._loop_lag.set(lag_seconds)
        for tier, is_open in self._breakers.items():
            self._tier_state.labels(tier).set(is_open())
        self.hand_over()

    def hand_over(self) -> None:
        """Let the metrics tell what was gathered since the last time."""
        for tally in self._tallies:
            tally.hand_over()

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format; those of other processes, of late."""
        self.hand_over()
        if self._shared is not None:
            return shared_exposition(self.registry, self._shared)
        return generate_latest(self.registry)

    def _counter(self, name: str, description: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, description, labels, registry=self.registry)

    def _gauge(self, name: str, description: str, labels: tuple[str, ...] = ()) -> Gauge:
        # Of several worker processes, the one that is worst off.
        return Gauge(name, description, labels, registry=self.registry, multiprocess_mode="livemax")

    def _tally(self, name: str, description: str, labels: tuple[str, ...]) -> CounterTally:
        tally = CounterTally(self._counter(name, description, labels))
        self._tallies.append(tally)
        return tally

    def _histogram(
        self,
        name: str,
        description: str,
        labels: tuple[str, ...],
        buckets: tuple[float, ...] = _LATENCY_BUCKETS,
    ) -> HistogramTally:
        histogram = GatheredHistogram(
            name, description, labels, buckets=buckets, registry=self.registry
        )
        tally = HistogramTally(histogram)
        self._tallies.append(tally)
        return tally
