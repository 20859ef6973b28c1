"""What is measured of candidates in shadow mode."""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge

from serving_gateway.comparison import Comparison


class Pair(NamedTuple):
    """A served version and its candidate."""

    feature_name: str
    served_version: str
    candidate_version: str


class ShadowInstruments:
    """
    Metrics of shadow mode; those that are added up are counters, so that worker processes can be.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "feature_shadow_requests_total",
            "Requests to be compared with a candidate: compared, dropped because too many waited, "
            "failed, or incomparable because their values are of other types or entities.",
            ("feature_name", "outcome"),
            registry=registry,
        )
        self._compared = Counter(
            "feature_shadow_values_total",
            "Values compared: both versions had one.",
            Pair._fields,
            registry=registry,
        )
        self._difference = Counter(
            "feature_shadow_absolute_difference_total",
            "Sum of the absolute differences between compared values.",
            Pair._fields,
            registry=registry,
        )
        self._one_sided = Counter(
            "feature_shadow_one_sided_values_total",
            "Values that one version only had.",
            (*Pair._fields, "side"),
            registry=registry,
        )
        self._stability = Gauge(
            "feature_shadow_stability_index",
            "Population stability index between served values and candidate values.",
            Pair._fields,
            registry=registry,
            multiprocess_mode="livemax",
        )

    def count_request(self, feature_name: str, outcome: str) -> None:
        """Count a request that was to be compared."""
        self._requests.labels(feature_name, outcome).inc()

    def record(self, pair: Pair, compared: Comparison) -> None:
        """Record the differences between values."""
        self._compared.labels(*pair).inc(len(compared.differences))
        self._difference.labels(*pair).inc(sum(compared.differences))
        self._one_sided.labels(*pair, "served").inc(compared.served_only)
        self._one_sided.labels(*pair, "candidate").inc(compared.candidate_only)

    def record_stability(self, pair: Pair, index: float | None) -> None:
        """Record how far the distributions differ, once there are enough values to tell."""
        if index is not None:
            self._stability.labels(*pair).set(index)
