"""What is exposed besides what is counted."""

import os
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.parser import text_string_to_metric_families

from serving_gateway.metric_registry import MetricRegistry
from serving_gateway.process_metrics import ProcessMetrics


def _exposed(text: bytes) -> dict[str, list[dict[str, str]]]:
    """Return the labels of each sample, by name."""
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def test_one_process_tells_of_itself() -> None:
    """Memory, time, interpreter and build; not when each series began."""
    metrics = MetricRegistry()
    metrics.tally("served_total", "Help.", ("tier",)).add(("a",))
    metrics.histogram("took_seconds", "Help.", ("tier",)).add(("a",), 0.1)
    exposed = _exposed(metrics.exposition())
    assert exposed["served_total"] == [{"tier": "a"}]
    assert exposed["process_resident_memory_bytes"] == [{}]
    assert exposed["process_cpu_seconds_total"] == [{}]
    assert exposed["python_info"][0]["implementation"]
    assert exposed["feature_gateway_build_info"][0]["version"]
    assert not [name for name in exposed if name.endswith("_created")]


def test_workers_have_series_of_their_own() -> None:
    """Their sums would fall when one of them ends; one that has ended has none."""
    ended = 2**22 + 1  # beyond what Linux gives to processes
    exposed = _exposed(ProcessMetrics([os.getpid(), os.getppid(), ended]).exposition())
    assert exposed["process_resident_memory_bytes"] == [
        {"pid": str(os.getpid())},
        {"pid": str(os.getppid())},
    ]
    assert len(exposed["python_info"]) == len(exposed["feature_gateway_build_info"]) == 1


def test_workers_that_write_are_found(tmp_path: Path) -> None:
    """By the files of their gauges."""
    for name in (f"gauge_livemax_{os.getpid()}.db", "counter_0.db"):
        MmapedDict(str(tmp_path / name)).close()
    exposed = _exposed(MetricRegistry(tmp_path).exposition())
    assert exposed["process_open_fds"] == [{"pid": str(os.getpid())}]
