"""What the gateway measures. Recording is done per column, never per value."""

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from feature_repo.registry.metadata import FeatureVersion, Status
from serving_gateway.reading import Part
from serving_gateway.shared_metrics import shared_exposition

_LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_AGE_BUCKETS = (1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0)
# Event timestamps of online values cost a second question to Redis for each.
_SECONDS_PER_STALENESS_SAMPLE = 1.0
# Of one column: those of a run are equally old.
_VALUES_PER_STALENESS_SAMPLE = 50


_Metric = TypeVar("_Metric", Counter, Histogram)


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
        self._known: dict[tuple[object, ...], Any] = {}
        self._served = self._counter(
            "feature_requests_total",
            "Values served, by the tier they came from.",
            ("feature_name", "version", "served_from"),
        )
        self._missed = self._counter(
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
        self._requests = self._counter(
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

    @contextlib.contextmanager
    def timed(self, tier: str) -> Iterator[None]:
        """Time a tier's work on a batch."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._of(self._retrieval, tier).observe(time.perf_counter() - started)

    def samples_staleness(self) -> bool:
        """Tell, once in a while, that a request's values should come with their timestamps."""
        now = time.monotonic()
        if now < self._next_sample:
            return False
        self._next_sample = now + _SECONDS_PER_STALENESS_SAMPLE
        return True

    def count_served(self, feature: FeatureVersion, tier: str, count: int) -> None:
        """Count values that a tier served."""
        if count:
            self._of(self._served, feature.feature_name, feature.version, tier).inc(count)

    def count_missed(self, feature: FeatureVersion, tier: str, count: int) -> None:
        """Count values that a tier did not have."""
        self._of(self._missed, feature.feature_name, feature.version, tier).inc(count)

    def observe_staleness(self, feature: FeatureVersion, part: Part, *, now: datetime) -> None:
        """Record how old values are that came with their event timestamps."""
        histogram = self._staleness.labels(feature.feature_name, feature.version)
        timestamps = part.timestamps or ()
        for timestamp in timestamps[:: 1 + len(timestamps) // _VALUES_PER_STALENESS_SAMPLE]:
            if timestamp is not None:
                histogram.observe(max((now - timestamp).total_seconds(), 0.0))

    def count_stale(self, feature: FeatureVersion, count: int) -> None:
        """Count values that were served, and are older than tolerated."""
        if count:
            self._stale.labels(feature.feature_name, feature.version).inc(count)

    def count_if_deprecated(self, feature: FeatureVersion) -> None:
        """Count a request that was served a version, if that should not be used any more."""
        if feature.status is Status.DEPRECATED:
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
        self._of(self._requests, route, method, status).inc()
        self._of(self._duration, route).observe(seconds)

    def watch_breaker(self, tier: str, is_open: Callable[[], bool]) -> None:
        """Let a tier's state be recorded with the vital signs."""
        self._breakers[tier] = is_open

    def record_vital_signs(self, *, catalog_age_seconds: float, lag_seconds: float) -> None:
        """Record the state of the catalog, the event loop and the tiers."""
        self._catalog_age.set(catalog_age_seconds)
        self._loop_lag.set(lag_seconds)
        for tier, is_open in self._breakers.items():
            self._tier_state.labels(tier).set(is_open())

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        if self._shared is not None:
            return shared_exposition(self.registry, self._shared)
        return generate_latest(self.registry)

    def _of(self, metric: _Metric, *labels: str | int) -> _Metric:
        """Return a metric of some labels, faster than Prometheus' client finds it."""
        key = (metric, *labels)
        found: _Metric | None = self._known.get(key)
        if found is None:
            found = self._known[key] = metric.labels(*labels)
        return found

    def _counter(self, name: str, description: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, description, labels, registry=self.registry)

    def _gauge(self, name: str, description: str, labels: tuple[str, ...] = ()) -> Gauge:
        # Of several worker processes, the one that is worst off.
        return Gauge(name, description, labels, registry=self.registry, multiprocess_mode="livemax")

    def _histogram(
        self,
        name: str,
        description: str,
        labels: tuple[str, ...],
        buckets: tuple[float, ...] = _LATENCY_BUCKETS,
    ) -> Histogram:
        return Histogram(name, description, labels, buckets=buckets, registry=self.registry)
