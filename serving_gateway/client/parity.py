"""How inline computation and the store compare while a team moves from one to the other."""

import json
import math
import os
import platform
import threading
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from numbers import Real
from pathlib import Path
from typing import NamedTuple, TypeGuard

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
    What was seen of one feature in one mode, since the ledger was made.

    Attributes:
        compared: Values that both had.
        matched: Those of them that were equal, within the tolerance.
        incomparable: Those of them that no number can tell apart: other texts, other kinds.
        absolute_difference: Sum over the rest of them; of maps and lists, of their items' mean.
        relative_difference: The same, of differences divided by the greater value.
        only_inline: Values that were computed inline, and that the store did not have.
        only_store: Values that the store had, and inline computation did not.
        store_reads: Reads of the store, failed ones included.
        store_failures: Reads that failed.
        store_values: Values that the store was asked for, and answered.
        store_missing: Those of them that it did not have.
        inline_computations: Inline computations, failed ones included.
        inline_failures: Inline computations that failed.
        inline_values: Values that were computed inline and returned.
        dropped: Shadow reads that were left out because too many waited, or came to nothing.
        counted_at: When something was last counted.
    """

    compared: int = 0
    matched: int = 0
    incomparable: int = 0
    absolute_difference: float = 0.0
    relative_difference: float = 0.0
    only_inline: int = 0
    only_store: int = 0
    store_reads: int = 0
    store_failures: int = 0
    store_values: int = 0
    store_missing: int = 0
    inline_computations: int = 0
    inline_failures: int = 0
    inline_values: int = 0
    dropped: int = 0
    counted_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    store_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES_KEPT))
    inline_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES_KEPT))


class Difference(NamedTuple):
    """
    How far two values differ.

    Attributes:
        absolute: As they are.
        relative: Divided by the greater one.
    """

    absolute: float
    relative: float


_NONE = Difference(0.0, 0.0)
_UNLIKE = Difference(math.inf, math.inf)


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
        self._id = uuid.uuid4().hex[:12]

    def compare(
        self, feature_name: str, mode: Mode, inline: Mapping[str, Value], store: Mapping[str, Value]
    ) -> None:
        """Record the values of both, by entity id; None is none."""
        found = {entity: value for entity, value in store.items() if value is not None}
        computed = {entity: value for entity, value in inline.items() if value is not None}
        both = [
            difference(value, found[entity])
            for entity, value in computed.items()
            if entity in found
        ]
        alike = [each for each in both if math.isfinite(each.absolute)]
        with self._counting(feature_name, mode) as counts:
            counts.compared += len(both)
            counts.matched += sum(each.relative <= self._tolerance for each in both)
            counts.incomparable += len(both) - len(alike)
            counts.absolute_difference += sum(each.absolute for each in alike)
            counts.relative_difference += sum(each.relative for each in alike)
            counts.only_inline += len(computed) - len(both)
            counts.only_store += len(found) - len(both)

    def store_read(
        self, feature_name: str, mode: Mode, *, asked: int, missing: int, seconds: float
    ) -> None:
        """Record a read of the store."""
        with self._counting(feature_name, mode) as counts:
            counts.store_reads += 1
            counts.store_values += asked
            counts.store_missing += missing
            counts.store_seconds.append(seconds)

    def store_failed(self, feature_name: str, mode: Mode) -> None:
        """Record a read of the store that failed."""
        with self._counting(feature_name, mode) as counts:
            counts.store_reads += 1
            counts.store_failures += 1

    def computed(self, feature_name: str, mode: Mode, *, count: int, seconds: float) -> None:
        """Record values that were computed inline."""
        with self._counting(feature_name, mode) as counts:
            counts.inline_computations += 1
            counts.inline_values += count
            counts.inline_seconds.append(seconds)

    def inline_failed(self, feature_name: str, mode: Mode) -> None:
        """Record an inline computation that failed."""
        with self._counting(feature_name, mode) as counts:
            counts.inline_computations += 1
            counts.inline_failures += 1

    def dropped(self, feature_name: str, mode: Mode) -> None:
        """Record a shadow read that was left out, or came to nothing."""
        with self._counting(feature_name, mode) as counts:
            counts.dropped += 1

    def snapshot(self) -> list[dict[str, object]]:
        """Return all counts, and the 95th percentile of both latencies in milliseconds."""
        with self._lock:
            return [_record(*key, counts) for key, counts in self._counts.items()]

    def append_to(self, file: Path) -> None:
        """
        Append the counts so far to a file, a JSON line each, for `python -m monitoring parity`.

        Call it now and then, and at the end; several processes may write to one file. What lies
        between two calls can be looked at by itself.
        """
        # The process id is of now: a worker that was forked has the ledger of its parent.
        process = f"{platform.node()}-{os.getpid()}-{self._id}"
        about = {"process": process, "at": datetime.now(UTC).isoformat()}
        lines = [json.dumps({**about, **record}) + "\n" for record in self.snapshot()]
        # Unbuffered, so that lines of several processes don't get into each other.
        with file.open("ab", buffering=0) as stream:
            stream.write("".join(lines).encode())

    @contextmanager
    def _counting(self, feature_name: str, mode: Mode) -> Iterator[FeatureCounts]:
        with self._lock:
            counts = self._counts.setdefault((feature_name, mode), FeatureCounts())
            yield counts
            counts.counted_at = datetime.now(UTC)


def difference(a: Value, b: Value) -> Difference:
    """Return how far two values differ; infinitely, if they are of other kinds."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return _mean([difference(a.get(key, 0.0), b.get(key, 0.0)) for key in a.keys() | b.keys()])
    # What a computation returns may well be numpy's.
    if isinstance(a, Real) and isinstance(b, Real):
        absolute = abs(float(a) - float(b))
        return Difference(absolute, absolute / (max(abs(float(a)), abs(float(b))) or 1.0))
    if _is_list(a) and _is_list(b):
        if len(a) != len(b):
            return _UNLIKE
        return _mean([difference(x, y) for x, y in zip(a, b, strict=True)])
    return _NONE if a == b else _UNLIKE


def _is_list(value: Value) -> TypeGuard[Sequence[float]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _mean(differences: Sequence[Difference]) -> Difference:
    if not differences:
        return _NONE
    absolute, relative = (sum(each) / len(differences) for each in zip(*differences, strict=True))
    return Difference(absolute, relative)


def _record(name: str, mode: Mode, counts: FeatureCounts) -> dict[str, object]:
    fields = asdict(counts)
    fields["counted_at"] = counts.counted_at.isoformat()
    for kind in ("store", "inline"):
        seconds = sorted(fields.pop(f"{kind}_seconds"))
        fields[f"{kind}_p95_ms"] = (
            seconds[int(0.95 * (len(seconds) - 1))] * _MILLISECONDS if seconds else None
        )
    return {"feature": name, "mode": mode.value, **fields}
