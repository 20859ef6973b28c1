"""The values of a request as they come together, tier by tier; pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, cast

import orjson

from feature_repo.registry.metadata import FeatureVersion
from serving_gateway.columns import Column, Found
from serving_gateway.selection import Selection

DEFAULT = "default"
# A default, too, but nobody was asked: the request does not say for which user or query.
NOT_ASKED = "not_asked"
_NO_ROWS: frozenset[int] = frozenset()


class Part(NamedTuple):
    """
    The rows of a column that one tier served.

    Attributes:
        tier: Its name.
        rows: Which rows.
        timestamps: Their event timestamps; None where nobody asked, and for defaults.
        stale_rows: Those that are older than tolerated.
    """

    tier: str
    rows: Sequence[int]
    timestamps: Sequence[datetime | None] | None
    stale_rows: frozenset[int]


class CollectedColumn:
    """
    A column, and what has been found of it.

    Args:
        column: What is wanted.

    Attributes:
        column: What is wanted.
        texts: JSON texts of the values, None where there is none yet.
        missing: Rows without a value.
        parts: Who served what.
        stale_count: Number of values that are older than tolerated.
        is_unavailable: Whether a tier that might have had values could not answer.
    """

    __slots__ = ("column", "is_unavailable", "missing", "parts", "stale_count", "texts")

    def __init__(self, column: Column) -> None:
        count = len(column.entity_ids)
        self.column = column
        self.texts: list[bytes | None] = [None] * count
        self.missing: Sequence[int] = range(count)
        self.parts: list[Part] = []
        self.stale_count = 0
        self.is_unavailable = False

    def take(self, tier: str, found: Found, *, now: datetime) -> int:
        """Put what a tier has of the missing rows in its place; return how much that is."""
        self.is_unavailable |= found.is_unavailable
        asked = self.missing
        # No JSON text is empty; to look for None would take four times as long.
        if all(found.texts):
            rows, self.missing = asked, ()
        else:
            pairs = list(zip(asked, found.texts, strict=True))
            rows = [row for row, text in pairs if text is not None]
            self.missing = [row for row, text in pairs if text is None]
        if len(rows) == len(self.texts):
            self.texts[:] = found.texts
        else:
            for row, text in zip(asked, found.texts, strict=True):
                if text is not None:
                    self.texts[row] = text
        if rows:
            part = _part(tier, self.column.feature, asked, rows, found, now)
            self.parts.append(part)
            self.stale_count += len(part.stale_rows)
        return len(rows)

    def fill(self, text: bytes) -> None:
        """Put a default in place of all that is missing."""
        rows = self.missing
        for row in rows:
            self.texts[row] = text
        if rows:
            tier = DEFAULT if self.column.is_known else NOT_ASKED
            self.parts.append(Part(tier, rows, None, _NO_ROWS))
        self.missing = ()

    def value_texts(self) -> Sequence[bytes]:
        """Return the JSON texts of all values, once nothing is missing."""
        return cast("list[bytes]", self.texts)


class TierRead(NamedTuple):
    """
    What one tier was asked for.

    Attributes:
        tier: Its name.
        seconds: How long it took.
        columns: The columns that lacked values.
        found: How many values it had of each of them.
        missing: How many values each of them lacks still.
        is_timed: Whether any value came with its event timestamp.
    """

    tier: str
    seconds: float
    columns: Sequence[CollectedColumn]
    found: Sequence[int]
    missing: Sequence[int]
    is_timed: bool


@dataclass(slots=True)
class Reading:
    """
    The columns of a request.

    Attributes:
        columns: They.
        selection: Their versions.
        reads: What each tier was asked for, in their order.
        filled: The columns that defaults stand in.
    """

    columns: Sequence[CollectedColumn]
    selection: Selection
    reads: list[TierRead] = field(default_factory=list)
    filled: list[CollectedColumn] = field(default_factory=list)

    @classmethod
    def of(cls, columns: Sequence[Column], selection: Selection | None = None) -> "Reading":
        """Return the reading of columns, of a selection if of one, of which nothing is found."""
        if selection is None:
            selection = Selection([column.feature for column in columns])
        return cls([CollectedColumn(column) for column in columns], selection)

    def missing(self, serves: Callable[[FeatureVersion], bool]) -> list[CollectedColumn]:
        """Return the columns with missing rows that somebody serves."""
        return [
            c for c in self.columns if c.missing and c.column.is_known and serves(c.column.feature)
        ]

    def take(
        self,
        tier: str,
        asked: Sequence[CollectedColumn],
        found: Sequence[Found],
        *,
        seconds: float,
        now: datetime,
    ) -> None:
        """Put what a tier has of some columns in its place."""
        had, missing, is_timed = [], [], False
        for collected, part in zip(asked, found, strict=True):
            had.append(collected.take(tier, part, now=now))
            missing.append(len(collected.missing))
            is_timed = is_timed or part.timestamps is not None
        self.reads.append(TierRead(tier, seconds, asked, had, missing, is_timed))

    def fill(self, text_of: Callable[[FeatureVersion], bytes]) -> None:
        """Put defaults in place of all that is missing."""
        for collected in self.columns:
            if collected.missing:
                collected.fill(text_of(collected.column.feature))
                self.filled.append(collected)

    @property
    def counts(self) -> dict[str, int]:
        """Number of values that each tier served."""
        counts: dict[str, int] = {}
        for collected in self.columns:
            for part in collected.parts:
                counts[part.tier] = counts.get(part.tier, 0) + len(part.rows)
        return counts

    @property
    def stale_count(self) -> int:
        """Number of values that are older than tolerated."""
        return sum(collected.stale_count for collected in self.columns)

    @property
    def is_degraded(self) -> bool:
        """Whether a tier could not answer, so that a lower one stood in for it."""
        return any(collected.is_unavailable for collected in self.columns)


def origins(collected: CollectedColumn, *, now: datetime) -> list[bytes]:
    """
    Return where each value of a column comes from, as JSON texts.

    Statuses are Feast's: PRESENT, OUTSIDE_MAX_AGE for a stale value, NOT_FOUND for a default.
    """
    texts = [b""] * len(collected.texts)
    for part in collected.parts:
        timestamps = part.timestamps or [None] * len(part.rows)
        for row, timestamp in zip(part.rows, timestamps, strict=True):
            texts[row] = orjson.dumps(
                {
                    "status": _status(part, row),
                    "served_from": part.tier,
                    "version": collected.column.feature.version,
                    "event_timestamp": timestamp,
                    "staleness_seconds": timestamp and max((now - timestamp).total_seconds(), 0.0),
                }
            )
    return texts


def _status(part: Part, row: int) -> str:
    if part.tier in {DEFAULT, NOT_ASKED}:
        return "NOT_FOUND"
    return "OUTSIDE_MAX_AGE" if row in part.stale_rows else "PRESENT"


def _part(
    tier: str,
    feature: FeatureVersion,
    asked: Sequence[int],
    rows: Sequence[int],
    found: Found,
    now: datetime,
) -> Part:
    if found.timestamps is None:
        return Part(tier, rows, None, _NO_ROWS)
    times = found.timestamps
    if len(rows) < len(asked):
        at = dict(zip(asked, times, strict=True))
        times = [at[row] for row in rows]
    limit = now - feature.staleness_tolerance
    # Values of one run have one event timestamp: few comparisons tell that none is stale.
    stale = {time for time in set(times) if time is not None and time <= limit}
    stale_rows = (
        [row for row, time in zip(rows, times, strict=True) if time in stale] if stale else []
    )
    return Part(tier, rows, times, frozenset(stale_rows))
