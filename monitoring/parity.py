"""Whether a feature that is computed inline may be read from the store: what services counted."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.parity_counts import Counts, Mode, Tally


@dataclass(frozen=True)
class Thresholds:
    """
    What must hold before the next step.

    Attributes:
        values: Fewest values compared, or read.
        match_rate: Least share of equal values.
        missing_rate: Greatest share of values that the store does not have.
        only_store_rate: Greatest share of values that inline computation does not have.
        failure_rate: Greatest share of reads that fail.
        dropped_rate: Greatest share of shadow reads that are left out.
        inline_rate: Greatest share of values that still had to be computed inline.
        p95_milliseconds: Greatest 95th percentile of a read.
    """

    values: int = 1_000
    match_rate: float = 0.999
    missing_rate: float = 0.05
    only_store_rate: float = 0.001
    failure_rate: float = 0.001
    dropped_rate: float = 0.1
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
    mode: Mode
    counts: Counts
    reasons: Sequence[str]

    @property
    def match_rate(self) -> float | None:
        """Share of the compared values that are equal."""
        return _share(self.counts.matched, self.counts.compared)

    @property
    def mean_absolute_difference(self) -> float | None:
        """Mean difference of the compared values that have one."""
        return self._mean(self.counts.absolute_difference)

    @property
    def mean_relative_difference(self) -> float | None:
        """The same, of differences divided by the greater value."""
        return self._mean(self.counts.relative_difference)

    @property
    def advice(self) -> str:
        """The next step, or what is in its way."""
        if self.reasons:
            return "; ".join(self.reasons)
        steps = {"inline": "go on to store", "store": "go on to store_only", "store_only": "done"}
        return steps[self.mode]

    def _mean(self, total: float) -> float | None:
        return _share(total, self.counts.compared - self.counts.incomparable)


_DEFAULTS = Thresholds()


def judge(tally: Tally, thresholds: Thresholds = _DEFAULTS) -> Verdict:
    """Return whether a feature may take the next step, and why not."""
    against = {"inline": _against_store, "store": _against_store_only, "store_only": _against_end}
    reasons = [
        *against[tally.mode](tally.counts, thresholds),
        *_against_reads(tally.counts, thresholds),
    ]
    return Verdict(tally.feature_name, tally.mode, tally.counts, list(filter(None, reasons)))


def _against_store(counts: Counts, limits: Thresholds) -> list[str]:
    matched = _share(counts.matched, counts.compared)
    only_inline = _share(counts.only_inline, counts.compared + counts.only_inline)
    only_store = _share(counts.only_store, counts.compared + counts.only_store)
    dropped = _share(counts.dropped, counts.dropped + counts.store_reads)
    return [
        _too_few(counts.compared, limits.values, "values compared"),
        f"{matched:.2%} equal, {limits.match_rate:.2%} needed"
        if matched is not None and matched < limits.match_rate
        else "",
        _too_many(only_inline, limits.missing_rate, "had inline only"),
        _too_many(only_store, limits.only_store_rate, "in the store only"),
        _too_many(dropped, limits.dropped_rate, "of the comparisons left out"),
    ]


def _against_store_only(counts: Counts, limits: Thresholds) -> list[str]:
    served = counts.store_values - counts.store_missing + counts.inline_values
    return [
        _too_few(counts.store_values, limits.values, "values read"),
        _too_many(_share(counts.inline_values, served), limits.inline_rate, "computed inline"),
    ]


def _against_end(counts: Counts, limits: Thresholds) -> list[str]:
    return [_too_few(counts.store_values, limits.values, "values read")]


def _against_reads(counts: Counts, limits: Thresholds) -> list[str]:
    failed = _share(counts.store_failures, counts.store_reads)
    missing = _share(counts.store_missing, counts.store_values)
    p95 = counts.store_p95_ms or 0.0
    return [
        _too_many(failed, limits.failure_rate, "of the reads failed"),
        _too_many(missing, limits.missing_rate, "missing"),
        f"p95 {p95:.0f} ms, {limits.p95_milliseconds:.0f} ms allowed"
        if p95 > limits.p95_milliseconds
        else "",
    ]


def _too_few(count: int, least: int, what: str) -> str:
    return f"{count:,} {what}, {least:,} needed" if count < least else ""


def _too_many(share: float | None, most: float, what: str) -> str:
    return f"{share:.2%} {what}, {most:.2%} allowed" if share is not None and share > most else ""


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
