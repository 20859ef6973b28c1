"""Whether a feature that is computed inline may be read from the store: what services counted."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.errors import ConfigurationError, ContractViolation

_SUMMED = (
    "compared",
    "matched",
    "absolute_difference",
    "store_values",
    "store_missing",
    "store_failures",
    "inline_values",
    "inline_failures",
    "dropped",
)
_WORST = ("store_p95_ms", "inline_p95_ms")


@dataclass(frozen=True)
class Thresholds:
    """
    What must hold before the next step.

    Attributes:
        values: Fewest values compared, or read.
        match_rate: Least share of equal values.
        missing_rate: Greatest share of values that the store does not have.
        inline_rate: Greatest share of values that still had to be computed inline.
        p95_milliseconds: Greatest 95th percentile of a read.
    """

    values: int = 1_000
    match_rate: float = 0.999
    missing_rate: float = 0.05
    inline_rate: float = 0.001
    p95_milliseconds: float = 50.0


@dataclass(frozen=True)
class Verdict:
    """
    How inline computation and the store compare for one feature.

    Attributes:
        feature_name: Which.
        mode: As far as it has come.
        counts: Of all processes together; latencies are the worst one's.
        reasons: Why it may not take the next step yet.
    """

    feature_name: str
    mode: str
    counts: Mapping[str, Any]
    reasons: Sequence[str]

    @property
    def match_rate(self) -> float | None:
        """Share of the compared values that are equal."""
        return _share(self.counts["matched"], self.counts["compared"])

    @property
    def mean_difference(self) -> float | None:
        """Mean relative difference of compared values."""
        return _share(self.counts["absolute_difference"], self.counts["compared"])

    @property
    def advice(self) -> str:
        """The next step, or what is in its way."""
        step = {"inline": "store", "store": "store_only"}.get(self.mode)
        if step is None:
            return "done" if not self.reasons else "; ".join(self.reasons)
        return f"go on to {step}" if not self.reasons else "; ".join(self.reasons)


Counts = Mapping[str, Any]
_DEFAULTS = Thresholds()


def read_counts(files: Iterable[Path]) -> dict[tuple[str, str], Counts]:
    """
    Return what services counted, by feature and mode: of each process its last line counts.

    Raises:
        ConfigurationError: A file can't be read.
        ContractViolation: A line is none of a parity ledger.
    """
    last: dict[tuple[str, str, str], dict[str, Any]] = {}
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise ConfigurationError(f"{file}: can't be read: {error.strerror}") from error
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                last[record["process"], record["feature"], record["mode"]] = record
            except (ValueError, KeyError, TypeError) as error:
                raise ContractViolation(
                    f"{file}, line {number}: is no line of a parity ledger",
                    hint="ParityLedger.append_to of serving_gateway.client writes them.",
                ) from error
    together: dict[tuple[str, str], dict[str, Any]] = {}
    for (_, *subject), record in last.items():
        nothing: dict[str, Any] = dict.fromkeys(_SUMMED, 0) | dict.fromkeys(_WORST)
        known = together.setdefault((subject[0], subject[1]), nothing)
        for name in _SUMMED:
            known[name] += record[name]
        for name in _WORST:
            known[name] = max(filter(None, (known[name], record[name])), default=None)
    return dict(together)


def judge(
    feature_name: str, mode: str, counts: Counts, thresholds: Thresholds = _DEFAULTS
) -> Verdict:
    """Return whether a feature may take the next step, and why not."""
    against = {"inline": _against_store, "store": _against_store_only}.get(mode, _about_store)
    reasons = [reason for reason in against(counts, thresholds) if reason]
    return Verdict(feature_name, mode, counts, reasons)


def _against_store(counts: Mapping[str, Any], limits: Thresholds) -> list[str]:
    matched = _share(counts["matched"], counts["compared"]) or 0.0
    return [
        _too_few(counts["compared"], limits.values, "values compared"),
        f"{matched:.2%} equal, {limits.match_rate:.2%} needed"
        if counts["compared"] and matched < limits.match_rate
        else "",
        *_about_store(counts, limits),
    ]


def _against_store_only(counts: Mapping[str, Any], limits: Thresholds) -> list[str]:
    inline = _share(counts["inline_values"], counts["store_values"]) or 0.0
    return [
        _too_few(counts["store_values"], limits.values, "values read"),
        f"{inline:.2%} computed inline, {limits.inline_rate:.2%} allowed"
        if inline > limits.inline_rate
        else "",
        f"{counts['store_failures']} reads failed" if counts["store_failures"] else "",
        *_about_store(counts, limits),
    ]


def _about_store(counts: Mapping[str, Any], limits: Thresholds) -> list[str]:
    missing = _share(counts["store_missing"], counts["store_values"]) or 0.0
    p95 = counts["store_p95_ms"] or 0.0
    return [
        f"{missing:.2%} missing, {limits.missing_rate:.2%} allowed"
        if missing > limits.missing_rate
        else "",
        f"p95 {p95:.0f} ms, {limits.p95_milliseconds:.0f} ms allowed"
        if p95 > limits.p95_milliseconds
        else "",
    ]


def _too_few(count: int, least: int, what: str) -> str:
    return f"{count:,} {what}, {least:,} needed" if count < least else ""


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
