"""The values of a request as they come together, tier by tier; pure."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, cast

import orjson

from feature_repo.registry.metadata import FeatureVersion, Status
from serving_gateway.columns import Column, Found

DEFAULT = "default"
# A default, too, but nobody was asked: the request does not say for which user or query.
NOT_ASKED = "not_asked"


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


@dataclass(slots=True)
class CollectedColumn:
    """
    A column, and what has been found of it.

    Attributes:
        column: What is wanted.
        texts: JSON texts of the values, None where there is none yet.
        missing: Rows without a value.
        parts: Who served what.
        is_unavailable: Whether a tier that might have had values could not answer.
    """

    column: Column
    texts: list[bytes | None] = field(init=False)
    missing: Sequence[int] = field(init=False)
    parts: list[Part] = field(default_factory=list)
    is_unavailable: bool = False

    def __post_init__(self) -> None:
        self.texts = [None] * len(self.column.entity_ids)
        self.missing = range(len(self.texts))

    def take(self, tier: str, found: Found, *, now: datetime) -> None:
        """Put what a tier has of the missing rows in its place."""
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
            self.parts.append(_part(tier, self.column.feature, asked, rows, found, now))

    def fill(self, text: bytes) -> None:
        """Put a default in place of all that is missing."""
        rows = self.missing
        for row in rows:
            self.texts[row] = text
        if rows:
            tier = DEFAULT if self.column.is_known else NOT_ASKED
            self.parts.append(Part(tier, rows, None, frozenset()))
        self.missing = ()

    @property
    def stale_count(self) -> int:
        """Number of values that are older than tolerated."""
        return sum(len(part.stale_rows) for part in self.parts)

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


@dataclass(frozen=True)
class Reading:
    """
    The columns of a request.

    Attributes:
        columns: They.
        reads: What each tier was asked for, in their order.
        filled: The columns that defaults stand in.
    """

    columns: Sequence[CollectedColumn]
    reads: list[TierRead] = field(default_factory=list)
    filled: list[CollectedColumn] = field(default_factory=list)

    @classmethod
    def of(cls, columns: Sequence[Column]) -> "Reading":
        """Return the reading of columns of which nothing has been found."""
        return cls([CollectedColumn(column) for column in columns])

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
        before = [len(collected.missing) for collected in asked]
        is_timed = False
        for collected, part in zip(asked, found, strict=True):
            collected.take(tier, part, now=now)
            is_timed = is_timed or part.timestamps is not None
        after = [len(collected.missing) for collected in asked]
        had = list(map(operator.sub, before, after))
        self.reads.append(TierRead(tier, seconds, asked, had, after, is_timed))

    def fill(self, text_of: Callable[[FeatureVersion], bytes]) -> None:
        """Put defaults in place of all that is missing."""
        for collected in self.columns:
            if collected.missing:
                collected.fill(text_of(collected.column.feature))
                self.filled.append(collected)

    @property
    def deprecated(self) -> list[FeatureVersion]:
        """The versions that should not be used any more."""
        features = [collected.column.feature for collected in self.columns]
        return [feature for feature in features if feature.status is Status.DEPRECATED]

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
        return Part(tier, rows, None, frozenset())
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
