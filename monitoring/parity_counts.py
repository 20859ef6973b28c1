"""What services counted on their way to the store: the lines of their ledgers, added up."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    NonNegativeFloat,
    NonNegativeInt,
    ValidationError,
)

from foundation.errors import ConfigurationError, ContractViolation

Mode = Literal["inline", "store", "store_only"]


class Counts(BaseModel):
    """What was seen of a feature in a mode; `FeatureCounts` of the client explains each number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    compared: NonNegativeInt
    matched: NonNegativeInt
    incomparable: NonNegativeInt
    absolute_difference: NonNegativeFloat
    relative_difference: NonNegativeFloat
    only_inline: NonNegativeInt
    only_store: NonNegativeInt
    store_reads: NonNegativeInt
    store_failures: NonNegativeInt
    store_values: NonNegativeInt
    store_missing: NonNegativeInt
    inline_computations: NonNegativeInt
    inline_failures: NonNegativeInt
    inline_values: NonNegativeInt
    dropped: NonNegativeInt
    store_p95_ms: NonNegativeFloat | None
    inline_p95_ms: NonNegativeFloat | None

    def plus(self, other: "Counts") -> "Counts":
        """Return the counts of two processes; the latencies are the worse ones."""
        worst = {
            name: max(filter(None, (getattr(self, name), getattr(other, name))), default=None)
            for name in _LATENCIES
        }
        return Counts(**{n: getattr(self, n) + getattr(other, n) for n in _SUMS}, **worst)

    def minus(self, earlier: "Counts") -> "Counts":
        """Return what was counted since; latencies are those of the last reads anyway."""
        # A clock that was set back may have changed the order of two lines.
        since = {n: max(getattr(self, n) - getattr(earlier, n), 0) for n in _SUMS}
        return Counts(**since, **{name: getattr(self, name) for name in _LATENCIES})


_LATENCIES = ("store_p95_ms", "inline_p95_ms")
_SUMS = tuple(name for name in Counts.model_fields if name not in _LATENCIES)


class Line(Counts):
    """
    One line of a ledger: what a process has counted so far.

    Attributes:
        process: Which process, and which of its ledgers.
        at: When the line was written.
        feature: What was counted.
        mode: In which mode.
        counted_at: When something was last counted of the feature in that mode.
    """

    process: str
    at: AwareDatetime
    feature: str
    mode: Mode
    counted_at: AwareDatetime

    @property
    def counts(self) -> Counts:
        """The counts alone."""
        return Counts(**{name: getattr(self, name) for name in Counts.model_fields})


@dataclass(frozen=True)
class Tally:
    """
    What all processes counted of a feature.

    Attributes:
        feature_name: Which.
        mode: The one in which it was last read.
        counts: In that mode.
    """

    feature_name: str
    mode: Mode
    counts: Counts


def read_tallies(files: Iterable[Path], *, since: datetime | None = None) -> list[Tally]:
    """
    Return what services counted, by feature name; of modes that a feature has left, nothing.

    Args:
        files: What services wrote with ParityLedger.append_to.
        since: Leave out what was counted before it, as far as a line tells; None: nothing.

    Raises:
        ConfigurationError: A file can't be read.
        ContractViolation: A line is none of a parity ledger.
    """
    first: dict[tuple[str, Mode, str], Line] = {}
    last: dict[tuple[str, Mode, str], Line] = {}
    for line in _lines(files):
        subject = (line.feature, line.mode, line.process)
        last[subject] = max(line, last.get(subject, line), key=lambda each: each.at)
        if since is not None and line.at < since:
            first[subject] = max(line, first.get(subject, line), key=lambda each: each.at)
    recent = {s: line for s, line in last.items() if since is None or line.counted_at >= since}
    modes: dict[str, Line] = {}
    for line in recent.values():
        modes[line.feature] = max(modes.get(line.feature, line), line, key=lambda x: x.counted_at)
    tallies: dict[str, Tally] = {}
    for subject in sorted(recent):
        line = recent[subject]
        if line.mode != modes[line.feature].mode:
            continue
        counts = line.counts.minus(first[subject]) if subject in first else line.counts
        if known := tallies.get(line.feature):
            counts = known.counts.plus(counts)
        tallies[line.feature] = Tally(line.feature, line.mode, counts)
    return list(tallies.values())


def _lines(files: Iterable[Path]) -> Iterator[Line]:
    for file in files:
        try:
            with file.open(encoding="utf-8") as stream:
                for number, text in enumerate(stream, start=1):
                    yield _line(text, f"{file}, line {number}")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file}: can't be read: {error}") from error


def _line(text: str, place: str) -> Line:
    try:
        return Line.model_validate_json(text)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        field = ".".join(map(str, detail["loc"]))
        raise ContractViolation(
            f"{place}: is no line of a parity ledger: {field and field + ': '}{detail['msg']}",
            hint="ParityLedger.append_to of serving_gateway.client writes them.",
        ) from error
