"""How a feature's values are distributed, and how that changes over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from feature_repo.registry.metadata import FeatureVersion

_MOST_PERIODS = 60
_PERIODS = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 7 * 24, 30 * 24))
_MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Period:
    """
    A part of the time.

    Attributes:
        start: First instant.
        value_count: Values in it.
        entity_count: Entities that have one.
        null_rate: Share of the values that are missing: one is due in each history interval of
            each entity that was known by then; None before any was known.
        mean: Of all numbers; None if there are none.
        quantiles: The 5 %, 50 % and 95 % quantiles; empty if there are none.
    """

    start: datetime
    value_count: int
    entity_count: int
    null_rate: float | None
    mean: float | None
    quantiles: Sequence[float]


@dataclass(frozen=True)
class Distribution:
    """
    How values are distributed.

    Attributes:
        number_count: Numbers; of a map or vector, of each item.
        figures: `mean`, `standard deviation`, `least`, `1%` and so on; empty if no numbers.
        histogram: Lower edges of equal bins, and how many numbers are in each.
        bin_width: Of the histogram.
        top_values: Of texts, the most frequent ones and how often they come up.
    """

    number_count: int
    figures: Mapping[str, float]
    histogram: Sequence[tuple[float, int]]
    bin_width: float
    top_values: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Profile:
    """
    A feature's values of some time.

    Attributes:
        feature: Whose values.
        start: First instant.
        end: First instant after.
        period: Length of each period.
        periods: The time, in order.
        value_count: Values.
        distribution: Of all of them.
        is_exact: Whether quantiles are; of many numbers they are estimated.
    """

    feature: FeatureVersion
    start: datetime
    end: datetime
    period: timedelta
    periods: Sequence[Period]
    value_count: int
    distribution: Distribution
    is_exact: bool

    def slope_a_day(self) -> float | None:
        """Return how much the mean rises in a day, by least squares; None of one period."""
        points = [
            (p.start.timestamp() / 86_400, p.mean) for p in self.periods if p.mean is not None
        ]
        if len(points) < 2:  # noqa: PLR2004 - a line takes two
            return None
        mean_x = sum(x for x, _ in points) / len(points)
        mean_y = sum(y for _, y in points) / len(points)
        spread = sum((x - mean_x) ** 2 for x, _ in points)
        return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def period_length(feature: FeatureVersion, start: datetime, end: datetime) -> timedelta:
    """Return a length of periods that are not too many, each with a value of each entity."""
    least = max(feature.history_interval, (end - start) / _MOST_PERIODS)
    return next((period for period in _PERIODS if period >= least), max(least, _PERIODS[-1]))


def due_count(feature: FeatureVersion, start: datetime, end: datetime) -> int:
    """Return how many values are due of an entity: one a history interval that a time touches."""
    interval = feature.history_interval
    return (end - EPOCH - _MICROSECOND) // interval - (start - EPOCH) // interval + 1
