"""Serve the picture's metrics over HTTP."""

import contextlib
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from foundation import clock
from foundation.metrics_server import serve_metrics
from foundation.settings import Settings
from monitoring.exporter.families import metric_families
from monitoring.exporter.readings import readings
from monitoring.exporter.watch import Watch


class PictureCollector(Collector):
    """
    Hands a watch's current picture to Prometheus.

    Args:
        watch: Keeps the picture up to date.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of now; touches no store."""
        return metric_families(self._watch.picture, now=clock.now())

    def describe(self) -> Iterable[Metric]:
        """Return nothing: names that depend on the stores are not known when it is registered."""
        return ()


@contextlib.contextmanager
def serve(settings: Settings) -> Iterator[int]:
    """
    Serve /metrics at the settings' address within the block; yields the port.

    Raises:
        ConfigurationError: The address can't be listened on.
    """
    watch, registry = Watch(*readings(settings)), CollectorRegistry()
    registry.register(PictureCollector(watch))
    address = settings.exporter_host, settings.exporter_port
    with serve_metrics(registry, *address) as port:
        watch.start()
        try:
            yield port
        finally:
            watch.stop()
