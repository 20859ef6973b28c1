"""What the gateway measures of itself: requests, tiers, stores, and its vital signs."""

from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry

from feature_repo.registry.metadata import FeatureVersion
from serving_gateway.metric_registry import MetricRegistry
from serving_gateway.reading_instruments import ReadingInstruments


class Instruments:
    """
    The gateway's metrics, in a registry of their own.

    Args:
        shared: Where worker processes share their metrics; None if there is just one.

    Attributes:
        metrics: Where they are, and where further ones are registered.
        readings: Those of features.
    """

    def __init__(self, shared: Path | None = None) -> None:
        self.metrics = metrics = MetricRegistry(shared)
        self.readings = ReadingInstruments(metrics)
        self._unavailable = metrics.counter(
            "feature_tier_unavailable_total",
            "Reads that a tier could not answer, or a part of it: a computation, a cluster's node.",
            ("tier", "part"),
        )
        self._corrupt = metrics.counter(
            "feature_corrupt_values_total",
            "What a tier holds instead of values: no JSON, or of another type.",
            ("feature_name", "version", "tier"),
        )
        self._written_back = metrics.counter(
            "feature_write_back_values_total",
            "Values found below Redis that were to be written to a store.",
            ("store", "outcome"),
        )
        self._sampled = metrics.counter(
            "feature_served_sample_values_total",
            "Values of answers that were to be kept: written, dropped because too many waited, "
            "or failed.",
            ("outcome",),
        )
        self._requests = metrics.tally(
            "http_requests_total", "Requests answered.", ("route", "method", "status")
        )
        self._duration = metrics.histogram(
            "http_request_duration_seconds",
            "Time from a request's arrival to its answer.",
            ("route",),
        )
        self._catalog_age = metrics.gauge(
            "feature_catalog_age_seconds", "Time since the catalog was read from the registry."
        )
        self._loop_lag = metrics.gauge(
            "event_loop_lag_seconds", "How late the event loop has woken what slept, of late."
        )
        self._tier_state = metrics.gauge(
            "feature_tier_state",
            "0: reads go to the tier, or the part of it; 1: they are kept off it.",
            ("tier", "part"),
        )
        self._breakers: dict[str, Callable[[], bool]] = {}

    @property
    def registry(self) -> CollectorRegistry:
        """That of Prometheus' client."""
        return self.metrics.registry

    def count_unavailable(self, tier: str) -> None:
        """Count a read that a tier, or `tier:part`, could not answer."""
        self._unavailable.labels(*_parted(tier)).inc()

    def count_corrupt(self, feature: FeatureVersion, tier: str, count: int) -> None:
        """Count what a tier holds instead of values."""
        self._corrupt.labels(feature.feature_name, feature.version, tier).inc(count)

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
        """Let the state of a tier, or of `tier:part`, be recorded with the vital signs."""
        self._breakers[tier] = is_open

    def forget_breaker(self, tier: str) -> None:
        """Let a state be recorded no longer; what is gone is not given up."""
        if self._breakers.pop(tier, None) is not None:
            self._tier_state.labels(*_parted(tier)).set(0)

    def record_vital_signs(self, *, catalog_age_seconds: float, lag_seconds: float) -> None:
        """Record the state of the catalog, the event loop and the tiers, and what was gathered."""
        self._catalog_age.set(catalog_age_seconds)
        self._loop_lag.set(lag_seconds)
        for tier, is_open in self._breakers.items():
            self._tier_state.labels(*_parted(tier)).set(is_open())
        self.hand_over()

    def hand_over(self) -> None:
        """Let the metrics tell what was gathered since the last time."""
        self.metrics.hand_over()

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format; those of other processes, of late."""
        return self.metrics.exposition()


def _parted(guarded: str) -> tuple[str, str]:
    tier, _, part = guarded.partition(":")
    return tier, part
