"""
Metrics of several worker processes, added up: whichever answers, the answer is the same.

Prometheus' client writes each process' metrics to files of its own in one folder, named after the
process' id. Counters must survive their process, or their sums would fall when a worker dies; so
the supervisor folds a dead worker's files into one.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

# What Prometheus' client looks for when it is first imported.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# In file names, stands for all processes that are no more.
_PAST = 0


@contextlib.contextmanager
def metrics_folder() -> Iterator[Path]:
    """Make a folder that processes started in the block share; it goes when the block ends."""
    before = os.environ.get(VARIABLE)
    with tempfile.TemporaryDirectory(prefix="feature-gateway-metrics-") as folder:
        os.environ[VARIABLE] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop(VARIABLE)
            if before is not None:
                os.environ[VARIABLE] = before


def shared_exposition(registry: CollectorRegistry, folder: Path) -> bytes:
    """
    Return the metrics of all processes in Prometheus' text format.

    Args:
        registry: Says which metrics; libraries have theirs in the same files.
        folder: Where the processes' files are.
    """
    ours = CollectorRegistry()
    names = {metric.name for metric in registry.collect()}
    collector = MultiProcessCollector(None, path=str(folder))

    class Chosen:
        """Those of all metrics that are in the registry."""

        def collect(self) -> Iterable[Metric]:
            """Return them."""
            return [metric for metric in collector.collect() if metric.name in names]

    ours.register(Chosen())
    with _locked(folder, fcntl.LOCK_SH):
        return generate_latest(ours)


def living_processes(folder: Path) -> list[int]:
    """Return the ids of the processes that write to a folder."""
    # Gauges go with their process; all else is kept.
    return sorted(_process_id(path) for path in folder.glob("gauge_live*.db"))


def fold_past(folder: Path, living: Collection[int]) -> None:
    """
    Keep what dead processes counted, in one file of each kind; forget what they were like.

    Args:
        folder: Where the processes' files are.
        living: Ids of the processes that go on writing.
    """
    dead = [path for path in folder.glob("*.db") if _process_id(path) not in {_PAST, *living}]
    if not dead:
        return
    with _locked(folder, fcntl.LOCK_EX):
        for kind in ("counter", "histogram", "summary"):
            ended = [path for path in dead if path.name.startswith(f"{kind}_")]
            if ended:
                _fold(folder / f"{kind}_{_PAST}.db", ended)
        for path in dead:
            path.unlink()


def _fold(past: Path, ended: Iterable[Path]) -> None:
    files = [str(path) for path in (past, *ended) if path.exists()]
    merged = MultiProcessCollector.merge(files, accumulate=False)
    new = past.with_suffix(".new")
    new.unlink(missing_ok=True)
    values = MmapedDict(str(new))
    for metric in merged:
        for sample in metric.samples:
            labels = sorted(sample.labels.items())
            key = mmap_key(
                metric.name,
                sample.name,
                [name for name, _ in labels],
                [value for _, value in labels],
                metric.documentation,
            )
            values.write_value(key, sample.value, 0.0)
    values.close()
    new.replace(past)


def _process_id(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


@contextlib.contextmanager
def _locked(folder: Path, mode: int) -> Iterator[None]:
    """Keep readers from files that are half folded."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, mode)
        yield
