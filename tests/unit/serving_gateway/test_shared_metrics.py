"""Metrics of several processes are added up, those of dead ones too."""

import os
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from serving_gateway.shared_metrics import (
    VARIABLE,
    fold_past,
    metrics_folder,
    shared_exposition,
)

_HELP = "Help."


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("served_total", _HELP, ("tier",), registry=registry)
    Histogram("took_seconds", _HELP, ("route",), buckets=(1.0, 2.0), registry=registry)
    Gauge("age_seconds", _HELP, registry=registry, multiprocess_mode="livemax")
    return registry


def _write(folder: Path, process_id: int, count: float) -> None:
    """Write what a process with these metrics would have written."""
    files: dict[str, list[tuple[tuple[str, str, list[str], list[str]], float]]] = {
        f"counter_{process_id}.db": [
            (("served", "served_total", ["tier"], ['a"b\\c\n']), count),
            (("other", "other_total", [], []), count),
        ],
        f"histogram_{process_id}.db": [
            (("took_seconds", "took_seconds_bucket", ["route", "le"], ["/", "1.0"]), count),
            (("took_seconds", "took_seconds_bucket", ["route", "le"], ["/", "+Inf"]), 1.0),
            (("took_seconds", "took_seconds_sum", ["route"], ["/"]), count / 2),
        ],
        f"gauge_livemax_{process_id}.db": [(("age_seconds", "age_seconds", [], []), count)],
    }
    for name, entries in files.items():
        values = MmapedDict(str(folder / name))
        for (metric, sample, names, labels), value in entries:
            values.write_value(mmap_key(metric, sample, names, labels, _HELP), value, 0.0)
        values.close()


def _samples(folder: Path) -> list[str]:
    lines = shared_exposition(_registry(), folder).decode().splitlines()
    return sorted(line for line in lines if not line.startswith("#"))


def test_processes_are_added_up(tmp_path: Path) -> None:
    """Counters and histograms; of gauges the greatest; nothing that is not ours."""
    _write(tmp_path, 11, 3.0)
    _write(tmp_path, 12, 4.0)
    assert _samples(tmp_path) == [
        "age_seconds 4.0",
        'served_total{tier="a\\"b\\\\c\\n"} 7.0',
        'took_seconds_bucket{le="+Inf",route="/"} 9.0',
        'took_seconds_bucket{le="1.0",route="/"} 7.0',
        'took_seconds_count{route="/"} 9.0',
        'took_seconds_sum{route="/"} 3.5',
    ]


def test_what_the_dead_counted_stays(tmp_path: Path) -> None:
    """However many die, in one file a kind; their gauges go."""
    for process_id in range(11, 16):
        _write(tmp_path, process_id, 1.0)
    before = _samples(tmp_path)
    fold_past(tmp_path, [11, 12, 13])
    fold_past(tmp_path, [11, 12])
    assert _samples(tmp_path) == before
    fold_past(tmp_path, [])
    assert _samples(tmp_path) == before[1:]
    names = {path.name for path in tmp_path.glob("*.db")}
    assert names == {"counter_0.db", "histogram_0.db"}
    _write(tmp_path, 11, 1.0)
    assert 'served_total{tier="a\\"b\\\\c\\n"} 6.0' in _samples(tmp_path)


def test_the_folder_is_there_for_the_processes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """They find it in their environment; what was there before comes back."""
    monkeypatch.setenv(VARIABLE, "before")
    with metrics_folder() as folder:
        assert os.environ[VARIABLE] == str(folder)
        assert folder.is_dir()
    assert not folder.exists()
    assert os.environ[VARIABLE] == "before"
