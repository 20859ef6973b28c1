"""Measure values, more of them than memory holds: they wait in DuckDB, on the disk if need be."""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.analysis.profile import (
    EPOCH,
    Distribution,
    Period,
    Profile,
    due_count,
    period_length,
)
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import decode
from foundation.errors import ConfigurationError, ContractViolation

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# Exact quantiles take all numbers into memory; 8 bytes each.
_MOST_EXACT = 5_000_000
_OF_MANY = (FeatureType.MAP, FeatureType.VECTOR)
_BINS = 40
_TOP_VALUES = 20
_MICROSECOND = timedelta(microseconds=1)

# Instants are microseconds since 1970. What a value is stays with it if it is one number or a text.
_VALUES = 'CREATE TABLE "values" (entity_id VARCHAR, "at" BIGINT, number DOUBLE, text VARCHAR)'
_NUMBERS = 'CREATE VIEW numbers AS SELECT "at", number FROM "values"'
_MANY_NUMBERS = 'CREATE TABLE numbers ("at" BIGINT, number DOUBLE)'
_SUMMARY = """
SELECT avg(number), coalesce(stddev_samp(number), 0), min(number), max(number),
       {quantile}(number, {shares}) FROM numbers
"""
_HISTOGRAM = """
SELECT least(floor((number - $low) / ($high - $low) * $bins), $bins - 1)::integer AS bin, count(*)
FROM numbers GROUP BY bin ORDER BY bin
"""
_TOP = """
SELECT text, count(*) FROM "values" GROUP BY text ORDER BY count(*) DESC, text LIMIT $limit
"""
# In each history interval each entity that was known by then should have a value.
_TIME = """
WITH placed AS (
    SELECT entity_id, ("at" - $start) // $period AS place, "at" // $interval AS turn FROM "values"
), seen AS (
    SELECT entity_id, min(place) AS first FROM placed GROUP BY entity_id
), known AS (
    SELECT first AS place, sum(count(*)) OVER (ORDER BY first) AS entities FROM seen GROUP BY first
), present AS (
    SELECT place, count(*) AS "rows", count(DISTINCT entity_id) AS entities
    FROM placed GROUP BY place
), of_turns AS (
    SELECT place, count(DISTINCT entity_id) AS entities FROM placed GROUP BY place, turn
), turns AS (
    SELECT place, sum(entities) AS turns FROM of_turns GROUP BY place
), figures AS (
    SELECT ("at" - $start) // $period AS place, avg(number) AS mean,
           {quantile}(number, [0.05, 0.5, 0.95]) AS quantiles
    FROM numbers GROUP BY place
)
SELECT places.place, coalesce("rows", 0), coalesce(entities, 0), coalesce(turns, 0)::bigint,
       (SELECT max(known.entities) FROM known WHERE known.place <= places.place), mean, quantiles
FROM range($count) AS places (place)
LEFT JOIN present USING (place) LEFT JOIN turns USING (place) LEFT JOIN figures USING (place)
ORDER BY places.place
"""


def measure(
    feature: FeatureVersion,
    batches: Iterable[pa.Table],
    *,
    start: datetime,
    end: datetime,
    memory_megabytes: int,
    most_exact: int = _MOST_EXACT,
) -> Profile:
    """
    Return how values are distributed, and how that changes.

    Args:
        feature: Whose values.
        batches: entity_id, value (vectors and maps as JSON text), timestamp in [start, end).
        start: First instant.
        end: First instant after.
        memory_megabytes: Most memory that DuckDB takes.
        most_exact: Quantiles of more numbers are estimated.

    Raises:
        ConfigurationError: DuckDB needs more memory than it may take.
        ContractViolation: There are no values.
    """
    with _scratch(feature, memory_megabytes) as scratch:
        value_count = sum(_store(scratch, feature, batch) for batch in batches)
        if not value_count:
            raise _nothing(feature, start, end)
        count = _count(scratch)
        quantile = "quantile_cont" if count <= most_exact else "approx_quantile"
        return Profile(
            feature=feature,
            start=start,
            end=end,
            period=period_length(feature, start, end),
            periods=_periods(scratch, feature, start, end, quantile),
            value_count=value_count,
            distribution=_distribution(scratch, feature, count, quantile),
            is_exact=count <= most_exact,
        )


def _nothing(feature: FeatureVersion, start: datetime, end: datetime) -> ContractViolation:
    return ContractViolation(
        f"{feature.reference} has no values from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}",
        hint="`python -m transformations runs` tells when it was computed; --from and --to choose "
        "another time.",
    )


@contextlib.contextmanager
def _scratch(feature: FeatureVersion, memory_megabytes: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Start DuckDB on a file of its own, with empty tables."""
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_megabytes}MiB",
            "temp_directory": folder,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        }
        with duckdb.connect(Path(folder, "values.duckdb"), config=config) as scratch:
            scratch.begin()  # to commit each batch would take several times as long
            scratch.execute(_VALUES)
            scratch.execute(_MANY_NUMBERS if feature.feature_type in _OF_MANY else _NUMBERS)
            try:
                yield scratch
            except duckdb.OutOfMemoryException as error:
                raise ConfigurationError(
                    f"DuckDB: {error}", hint="Raise FEATURE_STORE_DUCKDB_MEMORY_MEGABYTES."
                ) from error


def _store(scratch: duckdb.DuckDBPyConnection, feature: FeatureVersion, batch: pa.Table) -> int:
    """Put values aside, and return how many."""
    at = batch["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).combine_chunks()
    value, nothing = batch["value"].combine_chunks(), pa.nulls(batch.num_rows)
    columns = {"entity_id": batch["entity_id"], "at": at, "number": nothing, "text": nothing}
    if feature.feature_type in _OF_MANY:
        scratch.from_arrow(_many_numbers(feature, at, value)).insert_into("numbers")
    else:
        columns["text" if feature.feature_type is FeatureType.STRING else "number"] = value
    scratch.from_arrow(pa.table(columns)).insert_into("values")
    rows: int = batch.num_rows
    return rows


def _many_numbers(feature: FeatureVersion, at: pa.Array, value: pa.Array) -> pa.Table:
    """Return each item of maps or vectors with its instant."""
    lists = decode(value, feature.feature_type)
    if feature.feature_type is FeatureType.MAP:
        lists = pa.ListArray.from_arrays(lists.offsets, lists.items)
    at = at.take(pc.list_parent_indices(lists))
    return pa.table({"at": at, "number": lists.flatten().cast(pa.float64())})


def _count(scratch: duckdb.DuckDBPyConnection) -> int:
    return int(_row(scratch, "SELECT count(number) FROM numbers")[0])


def _row(scratch: duckdb.DuckDBPyConnection, aggregate: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = scratch.execute(aggregate).fetchone()
    assert row is not None, "an aggregate has a row"  # noqa: S101 - of whatever rows
    return row


def _distribution(
    scratch: duckdb.DuckDBPyConnection, feature: FeatureVersion, count: int, quantile: str
) -> Distribution:
    is_text = feature.feature_type is FeatureType.STRING
    figures = _figures(scratch, quantile) if count else {}
    histogram, width = _histogram(scratch, figures, count)
    return Distribution(
        number_count=count,
        figures=figures,
        histogram=histogram,
        bin_width=width,
        top_values=scratch.execute(_TOP, {"limit": _TOP_VALUES}).fetchall() if is_text else [],
    )


def _figures(scratch: duckdb.DuckDBPyConnection, quantile: str) -> dict[str, float]:
    statement = _SUMMARY.format(quantile=quantile, shares=list(QUANTILES))
    mean, deviation, least, greatest, quantiles = _row(scratch, statement)
    shown = {f"{share:.0%}": value for share, value in zip(QUANTILES, quantiles, strict=True)}
    return {
        "mean": mean,
        "standard deviation": deviation,
        "least": least,
        **shown,
        "greatest": greatest,
    }


def _histogram(
    scratch: duckdb.DuckDBPyConnection, figures: Mapping[str, float], count: int
) -> tuple[list[tuple[float, int]], float]:
    if not figures:
        return [], 0.0
    low, high = figures["least"], figures["greatest"]
    if low == high:
        return [(low, count)], 0.0
    found = dict(scratch.execute(_HISTOGRAM, {"low": low, "high": high, "bins": _BINS}).fetchall())
    width = (high - low) / _BINS
    return [(low + place * width, found.get(place, 0)) for place in range(_BINS)], width


def _periods(
    scratch: duckdb.DuckDBPyConnection,
    feature: FeatureVersion,
    start: datetime,
    end: datetime,
    quantile: str,
) -> list[Period]:
    period = period_length(feature, start, end)
    first = start - (start - EPOCH) % period
    rows = scratch.execute(
        _TIME.format(quantile=quantile),
        {
            "start": (first - EPOCH) // _MICROSECOND,
            "period": period // _MICROSECOND,
            "interval": feature.history_interval // _MICROSECOND,
            "count": max(1, -((first - end) // period)),
        },
    ).fetchall()
    periods = []
    for place, value_count, entities, present, known, mean, quantiles in rows:
        begin = first + place * period
        until = min(begin + period, end)
        due = due_count(feature, max(begin, start), until) * int(known or 0)
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
