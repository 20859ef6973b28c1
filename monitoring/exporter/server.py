"""Serve the picture's metrics over HTTP."""

import contextlib
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from foundation import clock
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
    """Serve /metrics at the settings' address within the block; yields the port."""
    watch, registry = Watch(*readings(settings)), CollectorRegistry()
    registry.register(PictureCollector(watch))
    server, thread = start_http_server(
        settings.exporter_port, addr=settings.exporter_host, registry=registry
    )
    watch.start()
    try:
        yield server.server_port
    finally:
        watch.stop()
        server.shutdown()
        server.server_close()
        thread.join()
