"""What the operating system says of the gateway's processes, and which build they run."""

from collections.abc import Iterable, Sequence
from functools import partial
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

_DISTRIBUTION = "feature-store"


class ProcessMetrics:
    """
    Metrics of processes, read when they are asked for.

    Sums of several processes would fall when one of them ends, so each has its own, with its id as
    label `pid`.

    Args:
        process_ids: Of worker processes; none for this process alone, without that label.
    """

    def __init__(self, process_ids: Sequence[int] = ()) -> None:
        self._process_ids = process_ids

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        build = Metric("feature_gateway_build_info", "1; which version runs.", "gauge")
        build.add_sample("feature_gateway_build_info", {"version": version(_DISTRIBUTION)}, 1.0)
        yield build
        if not self._process_ids:
            yield from ProcessCollector(registry=CollectorRegistry()).collect()
            return
        found: dict[str, Metric] = {}
        for process_id in self._process_ids:
            collector = ProcessCollector(pid=partial(int, process_id), registry=CollectorRegistry())
            for metric in collector.collect():
                kept = found.setdefault(
                    metric.name, Metric(metric.name, metric.documentation, metric.type)
                )
                kept.samples += [_labelled(sample, process_id) for sample in metric.samples]
        yield from found.values()

    def exposition(self) -> bytes:
        """Return them in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(self)
        PlatformCollector(registry=registry)
        return generate_latest(registry)


def _labelled(sample: Sample, process_id: int) -> Sample:
    return Sample(sample.name, {**sample.labels, "pid": str(process_id)}, sample.value)
