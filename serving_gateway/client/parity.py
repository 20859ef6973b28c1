"""How inline computation and the store compare while a team moves from one to the other."""

import json
import math
import os
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from serving_gateway.client.answers import Value

_LATENCIES_KEPT = 1_000
_MILLISECONDS = 1_000


class Mode(StrEnum):
    """
    How far a feature has come.

    `inline`: computed inline; the store is read in the shadow, and compared. `store`: read from the
    store, and computed inline where that has no value or does not answer. `store_only`: read from
    the store, whose defaults and errors count.
    """

    INLINE = "inline"
    STORE = "store"
    STORE_ONLY = "store_only"


@dataclass
class FeatureCounts:
    """
    What was seen of one feature in one mode, since the process began.

    Attributes:
        compared: Values that both had.
        matched: Those of them that were equal, within the tolerance.
        absolute_difference: Sum of the differences between numbers; of maps and lists, of the mean
            of their items'.
        store_values: Values that the store was asked for.
        store_missing: Those of them that it did not have.
        store_failures: Reads that failed.
        inline_values: Values that were computed inline and returned.
        inline_failures: Inline computations that failed.
        dropped: Shadow reads that were left out, because too many waited.
    """

    compared: int = 0
    matched: int = 0
    absolute_difference: float = 0.0
    store_values: int = 0
    store_missing: int = 0
    store_failures: int = 0
    inline_values: int = 0
    inline_failures: int = 0
    dropped: int = 0
    store_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES_KEPT))
    inline_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES_KEPT))


class ParityLedger:
    """
    Counts, feature by feature; may be used from several threads.

    Args:
        tolerance: Numbers that differ by no more, relative to the greater, are equal.
    """

    def __init__(self, *, tolerance: float = 1e-6) -> None:
        self._tolerance = tolerance
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, Mode], FeatureCounts] = {}

    def compare(
        self, feature_name: str, mode: Mode, inline: Mapping[str, Value], store: Mapping[str, Value]
    ) -> None:
        """Record values of both, by entity id; of those that only one has nothing is said."""
        differences = [
            difference(value, store[entity]) for entity, value in inline.items() if entity in store
        ]
        with self._lock:
            counts = self._of(feature_name, mode)
            counts.compared += len(differences)
            counts.matched += sum(each <= self._tolerance for each in differences)
            counts.absolute_difference += sum(each for each in differences if math.isfinite(each))

    def store_read(
        self, feature_name: str, mode: Mode, *, asked: int, missing: int, seconds: float
    ) -> None:
        """Record a read of the store."""
        with self._lock:
            counts = self._of(feature_name, mode)
            counts.store_values += asked
            counts.store_missing += missing
            counts.store_seconds.append(seconds)

    def computed(self, feature_name: str, mode: Mode, *, count: int, seconds: float) -> None:
        """Record values that were computed inline."""
        with self._lock:
            counts = self._of(feature_name, mode)
            counts.inline_values += count
            counts.inline_seconds.append(seconds)

    def store_failed(self, feature_name: str, mode: Mode) -> None:
        """Record a read of the store that failed."""
        with self._lock:
            self._of(feature_name, mode).store_failures += 1

    def inline_failed(self, feature_name: str, mode: Mode) -> None:
        """Record an inline computation that failed."""
        with self._lock:
            self._of(feature_name, mode).inline_failures += 1

    def dropped(self, feature_name: str, mode: Mode) -> None:
        """Record a shadow read that was left out."""
        with self._lock:
            self._of(feature_name, mode).dropped += 1

    def snapshot(self) -> list[dict[str, object]]:
        """Return all counts, and the 95th percentile of both latencies in milliseconds."""
        with self._lock:
            return [_record(*key, counts) for key, counts in self._counts.items()]

    def append_to(self, file: Path) -> None:
        """
        Append the counts so far to a file, a JSON line each, for `python -m monitoring parity`.

        Call it now and then; of each process the last lines count.
        """
        about = {"process": f"{os.uname().nodename}-{os.getpid()}", "at": time.time()}
        lines = [json.dumps({**about, **record}) + "\n" for record in self.snapshot()]
        with file.open("a", encoding="utf-8") as stream:
            stream.write("".join(lines))

    def _of(self, feature_name: str, mode: Mode) -> FeatureCounts:
        return self._counts.setdefault((feature_name, mode), FeatureCounts())


def difference(a: Value, b: Value) -> float:
    """Return how far two values differ, relative to the greater; infinity if in kind."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return _mean([difference(a.get(key, 0.0), b.get(key, 0.0)) for key in a.keys() | b.keys()])
    if isinstance(a, Sequence) and isinstance(b, Sequence) and not isinstance(a, str):
        if len(a) != len(b) or isinstance(b, str):
            return math.inf
        return _mean([difference(x, y) for x, y in zip(a, b, strict=True)])
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) / (max(abs(a), abs(b)) or 1.0)
    return 0.0 if a == b else math.inf


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def _record(name: str, mode: Mode, counts: FeatureCounts) -> dict[str, object]:
    fields = asdict(counts)
    for kind in ("store", "inline"):
        seconds = sorted(fields.pop(f"{kind}_seconds"))
        fields[f"{kind}_p95_ms"] = (
            seconds[int(0.95 * (len(seconds) - 1))] * _MILLISECONDS if seconds else None
        )
    return {"feature": name, "mode": mode.value, **fields}
