"""How a feature's values are distributed, and how that changes over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import decode
from foundation.errors import ContractViolation

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_BINS = 40
_TOP_VALUES = 20
_MOST_PERIODS = 60
_PERIODS = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 7 * 24, 30 * 24))
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SUMMARY = """
SELECT count(number), avg(number), coalesce(stddev_samp(number), 0), min(number), max(number),
       quantile_cont(number, {quantiles}) FROM numbers
"""
_HISTOGRAM = """
SELECT least(floor((number - $low) / ($high - $low) * $bins), $bins - 1)::integer AS bin, count(*)
FROM numbers GROUP BY bin ORDER BY bin
"""
_TOP = """
SELECT value, count(*) FROM "values" GROUP BY value ORDER BY count(*) DESC, value LIMIT $limit
"""
# In each history interval each entity that was known by then should have a value.
_TIME = """
WITH placed AS (
    SELECT entity_id, (epoch_us("timestamp") - $start) // $period AS place,
           epoch_us("timestamp") // $interval AS turn FROM "values"
), seen AS (
    SELECT entity_id, min(place) AS first FROM placed GROUP BY entity_id
), known AS (
    SELECT first AS place, sum(count(*)) OVER (ORDER BY first) AS entities FROM seen GROUP BY first
), present AS (
    SELECT place, count(*) AS "rows", count(DISTINCT entity_id) AS entities,
           count(DISTINCT (entity_id, turn)) AS turns
    FROM placed GROUP BY place
), figures AS (
    SELECT (epoch_us("timestamp") - $start) // $period AS place, avg(number) AS mean,
           quantile_cont(number, [0.05, 0.5, 0.95]) AS quantiles
    FROM numbers GROUP BY place
)
SELECT places.place, coalesce(present."rows", 0), coalesce(present.entities, 0),
       coalesce(present.turns, 0),
       (SELECT max(known.entities) FROM known WHERE known.place <= places.place), mean, quantiles
FROM range($count) AS places (place)
LEFT JOIN present USING (place) LEFT JOIN figures USING (place) ORDER BY places.place
"""


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
class Profile:
    """
    A feature's values of some time.

    Attributes:
        feature: Whose values.
        start: First instant.
        end: First instant after.
        period: Length of each period.
        periods: The time, in order.
        number_count: Numbers; of a map or vector, of each item.
        figures: `mean`, `standard deviation`, `least`, `1 %` and so on; empty if no numbers.
        histogram: Lower edges of equal bins, and how many numbers are in each.
        bin_width: Of the histogram.
        top_values: Of texts, the most frequent ones and how often they come up.
    """

    feature: FeatureVersion
    start: datetime
    end: datetime
    period: timedelta
    periods: Sequence[Period]
    number_count: int
    figures: Mapping[str, float]
    histogram: Sequence[tuple[float, int]]
    bin_width: float
    top_values: Sequence[tuple[str, int]]

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


def profile(
    feature: FeatureVersion, values: pa.Table, *, start: datetime, end: datetime
) -> Profile:
    """
    Describe values.

    Args:
        feature: Whose values.
        values: entity_id, value (vectors and maps as JSON text), timestamp.
        start: First instant.
        end: First instant after.

    Raises:
        ContractViolation: There are no values.
    """
    if values.num_rows == 0:
        raise ContractViolation(
            f"{feature.reference} has no values from {start:%Y-%m-%d %H:%M} "
            f"to {end:%Y-%m-%d %H:%M}",
            hint="`python -m transformations runs` tells when it was computed; --from and --to "
            "choose another time.",
        )
    period = period_length(feature, start, end)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("values", values)
        connection.register("numbers", _numbers(feature, values))
        counts = _figures(connection)
        histogram, width = _histogram(connection, counts)
        return Profile(
            feature=feature,
            start=start,
            end=end,
            period=period,
            periods=_periods(connection, feature, start, end, period),
            number_count=int(counts.pop("count")),
            figures=counts,
            histogram=histogram,
            bin_width=width,
            top_values=connection.execute(_TOP, {"limit": _TOP_VALUES}).fetchall()
            if feature.feature_type is FeatureType.STRING
            else [],
        )


def _numbers(feature: FeatureVersion, values: pa.Table) -> pa.Table:
    """Return each number with its timestamp; of maps and vectors, each item."""
    empty = pa.table({"timestamp": pa.array([], pa.timestamp("us", "UTC")), "number": []})
    if feature.feature_type is FeatureType.STRING:
        return empty.set_column(1, "number", pa.array([], pa.float64()))
    if feature.feature_type is FeatureType.FLOAT:
        return values.select(["timestamp", "value"]).rename_columns(["timestamp", "number"])
    lists = decode(values["value"].combine_chunks(), feature.feature_type)
    if feature.feature_type is FeatureType.MAP:
        lists = pa.ListArray.from_arrays(lists.offsets, lists.items)
    times = values["timestamp"].combine_chunks().take(pc.list_parent_indices(lists))
    return pa.table({"timestamp": times, "number": lists.flatten().cast(pa.float64())})


def _figures(connection: duckdb.DuckDBPyConnection) -> dict[str, float]:
    row = connection.execute(_SUMMARY.format(quantiles=list(QUANTILES))).fetchone()
    assert row is not None, "an aggregate has a row"  # noqa: S101 - of whatever rows
    count, mean, deviation, least, greatest, quantiles = row
    if not count:
        return {"count": 0}
    shown = {f"{share:.0%}": value for share, value in zip(QUANTILES, quantiles, strict=True)}
    return {
        "count": count,
        "mean": mean,
        "standard deviation": deviation,
        "least": least,
        **shown,
        "greatest": greatest,
    }


def _histogram(
    connection: duckdb.DuckDBPyConnection, figures: Mapping[str, float]
) -> tuple[list[tuple[float, int]], float]:
    if not figures["count"]:
        return [], 0.0
    low, high = figures["least"], figures["greatest"]
    if low == high:
        return [(low, int(figures["count"]))], 0.0
    found = dict(
        connection.execute(_HISTOGRAM, {"low": low, "high": high, "bins": _BINS}).fetchall()
    )
    width = (high - low) / _BINS
    return [(low + place * width, found.get(place, 0)) for place in range(_BINS)], width


def _periods(
    connection: duckdb.DuckDBPyConnection,
    feature: FeatureVersion,
    start: datetime,
    end: datetime,
    period: timedelta,
) -> list[Period]:
    first = start - (start - _EPOCH) % period
    count = max(1, -((first - end) // period))
    rows = connection.execute(
        _TIME,
        {
            "start": (first - _EPOCH) // _MICROSECOND,
            "period": period // _MICROSECOND,
            "interval": feature.history_interval // _MICROSECOND,
            "count": count,
        },
    ).fetchall()
    periods = []
    for place, value_count, entities, present, known, mean, quantiles in rows:
        begin = first + place * period
        due = _turns(feature, max(begin, start), min(begin + period, end)) * int(known or 0)
        periods.append(
            Period(
                start=begin,
                value_count=value_count,
                entity_count=entities,
                null_rate=1 - min(present / due, 1) if due else None,
                mean=mean,
                quantiles=quantiles or [],
            )
        )
    return periods


def _turns(feature: FeatureVersion, start: datetime, end: datetime) -> int:
    """Return how many history intervals a time touches, its end left out."""
    interval = feature.history_interval
    return (end - _EPOCH - _MICROSECOND) // interval - (start - _EPOCH) // interval + 1
