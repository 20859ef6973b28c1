"""Metrics written down: what all families are made of."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

# Label values, and the number they stand for.
Samples = Iterable[tuple[Sequence[str], float]]

OF_VERSION = ("feature_name", "version")


def gauge(name: str, help_text: str, labels: Sequence[str], samples: Samples) -> Metric:
    """Return a gauge."""
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for values, value in samples:
        family.add_metric(values, float(value))
    return family


def counter(name: str, help_text: str, labels: Sequence[str], samples: Samples) -> Metric:
    """Return a counter."""
    family = CounterMetricFamily(name, help_text, labels=labels)
    for values, value in samples:
        family.add_metric(values, float(value))
    return family


def age(now: datetime, instant: datetime) -> float:
    """Return how long ago an instant was, in seconds."""
    return (now - instant).total_seconds()


def seconds_since_1970(instant: datetime | None) -> float:
    """Return an instant as a number; 0 of none."""
    return 0.0 if instant is None else instant.timestamp()
