"""What the gateway measures. Recording is done per batch, never per value."""

import contextlib
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from serving_gateway.batch import Batch

_BUCKETS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Instruments:
    """The gateway's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._served = Counter(
            "feature_requests_total",
            "Values served, by the tier they came from.",
            ("feature_name", "version", "served_from"),
            registry=self._registry,
        )
        self._unavailable = Counter(
            "feature_tier_unavailable_total",
            "Batches for which a tier could not answer.",
            ("tier",),
            registry=self._registry,
        )
        self._retrieval = Histogram(
            "feature_retrieval_duration_seconds",
            "Time a tier took for a batch.",
            ("tier",),
            buckets=_BUCKETS_SECONDS,
            registry=self._registry,
        )
        self._requests = Counter(
            "http_requests_total",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time from a request's arrival to its answer.",
            ("route",),
            buckets=_BUCKETS_SECONDS,
            registry=self._registry,
        )
        self._exposures = Counter(
            "feature_experiment_exposures_total",
            "Requests that were served a variant of an experiment.",
            ("experiment", "variant"),
            registry=self._registry,
        )
        self._catalog_age = Gauge(
            "feature_catalog_age_seconds",
            "Time since the catalog was read from the registry.",
            registry=self._registry,
        )

    @contextlib.contextmanager
    def timed(self, tier: str) -> Iterator[None]:
        """Time a tier's work on a batch."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._retrieval.labels(tier).observe(time.perf_counter() - started)

    def count_served(
        self, batch: Batch, tier: str, asked: Sequence[int], missing: Sequence[int]
    ) -> None:
        """
        Count the values a tier served.

        Args:
            batch: What the request is about.
            tier: Who served.
            asked: Positions the tier was asked for.
            missing: Those of them it did not have.
        """
        width = len(batch.features)
        absent = Tally(position % width for position in missing)
        whole = len(asked) == batch.size
        present = None if whole else Tally(position % width for position in asked)
        for column, feature in enumerate(batch.features):
            asked_for = len(batch.entity_ids) if present is None else present[column]
            served = asked_for - absent[column]
            if served:
                labels = (feature.feature_name, feature.version, tier)
                self._served.labels(*labels).inc(served)

    def count_unavailable(self, tier: str) -> None:
        """Count a batch for which a tier could not answer."""
        self._unavailable.labels(tier).inc()

    def count_exposure(self, experiment: str, variant: str) -> None:
        """Count a request that was served a variant of an experiment."""
        self._exposures.labels(experiment, variant).inc()

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(route, method, status).inc()
        self._duration.labels(route).observe(seconds)

    def watch_catalog_age(self, age_seconds: Callable[[], float]) -> None:
        """Let the catalog's age be asked for whenever the metrics are."""
        self._catalog_age.set_function(age_seconds)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
