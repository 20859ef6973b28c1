"""Which expectations hold for a source table and for a feature version's values."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from great_expectations import expectations as gxe
from great_expectations.expectations.expectation import Expectation

from feature_repo.registry.metadata import FeatureType, FeatureVersion
from transformations.source_tables import SCHEMAS

# Traffic may fall and rise so much against the usual, and a table shrink.
_TRAFFIC_RATIOS = (0.1, 10.0)
_LEAST_TABLE_RATIO = 0.5
# Fewer runs, or events, say little about what is usual.
_USUAL_RUNS = 3
_USUAL_EVENTS = 100
# Of the events of five busy minutes, what one product or user may have at most.
_GREATEST_BURST_SHARE = 0.5


@dataclass(frozen=True)
class Arrivals:
    """
    How many rows of a source table a run looked at.

    Attributes:
        row_count: Rows.
        seconds: In how long a time they came; None where all rows of the table were looked at.
    """

    row_count: int
    seconds: float | None


def schema_expectations(table_name: str) -> list[Expectation]:
    """Return what the Arrow types of a source table must be, in one row, a column each."""
    return [
        gxe.ExpectColumnValuesToBeInSet(
            column=field.name, value_set=[str(field.type)], meta={"check_type": "schema"}
        )
        for field in SCHEMAS[table_name].to_pyarrow()
    ]


def source_expectations(
    table_name: str,
    *,
    max_age_seconds: float | None,
    max_null_shares: Mapping[str, float],
    arrivals: Arrivals,
    past: Sequence[Arrivals],
) -> list[Expectation]:
    """
    Return what the profile of a source table must meet.

    Args:
        table_name: Of the source table.
        max_age_seconds: Greatest age of the newest row; None where rows don't come all the time.
        max_null_shares: Greatest share of nulls by nullable column.
        arrivals: What this run looks at.
        past: What the recent good runs looked at; empty to hold it against no past.
    """
    required = [name for name, dtype in SCHEMAS[table_name].items() if not dtype.nullable]
    expectations = [
        _not_null("newest", "volume"),
        _between("row_count", "volume", *_usual_row_counts(arrivals, past)),
        _between("future_count", "clock_skew", None, 0),
        *(_between(f"null_{name}", "completeness", None, 0) for name in required),
        *(
            _between(f"null_share_{name}", "completeness", None, greatest)
            for name, greatest in max_null_shares.items()
        ),
    ]
    if max_age_seconds is not None:
        expectations.append(_between("age_seconds", "freshness", None, max_age_seconds))
    return expectations


def dependency_expectations() -> list[Expectation]:
    """Return what the known values of a dependency must meet, counted."""
    return [_between("row_count", "dependency", 1, None)]


def burst_expectations() -> list[Expectation]:
    """Return what the greatest shares of the events of busy minutes must meet."""
    return [_between("share", "anomaly", None, _GREATEST_BURST_SHARE)]


def entity_expectations(
    feature: FeatureVersion, *, last_row_count: int | None
) -> list[Expectation]:
    """
    Return what the entities of a run must meet, one row an entity.

    Args:
        feature: Whose values they are.
        last_row_count: Rows of the last good run; None before the first, or to hold it against no
            past.
    """
    expected = feature.expectations
    fewest = max(
        expected.min_row_count, round((last_row_count or 0) * expected.min_row_count_ratio)
    )
    expectations: list[Expectation] = [
        gxe.ExpectTableRowCountToBeBetween(min_value=fewest, meta={"check_type": "row_count"}),
        _not_null("entity_id", "null_key"),
        gxe.ExpectColumnValuesToBeUnique(column="entity_id", meta={"check_type": "duplicate_key"}),
        _not_null("feature_value", "null"),
    ]
    match feature.feature_type:
        case FeatureType.FLOAT:
            expectations += _number_expectations(feature, column="feature_value")
        case FeatureType.VECTOR:
            length = feature.vector_length
            expectations.append(_between("feature_value", "vector_length", length, length))
        case FeatureType.MAP | FeatureType.STRING:
            pass
    return expectations


def item_expectations(feature: FeatureVersion) -> list[Expectation]:
    """Return what the items of maps and vectors must meet, one row an item."""
    return [_not_null("item", "null"), *_number_expectations(feature, column="item")]


def drift_expectations(feature: FeatureVersion) -> list[Expectation]:
    """Return what the distance of the values' distribution from the last good run's must meet."""
    greatest = feature.expectations.max_stability_index
    return [_between("stability_index", "distribution", None, greatest)]


def _number_expectations(feature: FeatureVersion, *, column: str) -> list[Expectation]:
    # Without a declared range a number must still be finite: JSON has no infinity.
    least, greatest = feature.valid_range or (-sys.float_info.max, sys.float_info.max)
    expectations = [_between(column, "range", least, greatest)]
    if feature.expectations.mean_between is not None:
        least, greatest = feature.expectations.mean_between
        expectations.append(
            gxe.ExpectColumnMeanToBeBetween(
                column=column,
                min_value=least,
                max_value=greatest,
                meta={"check_type": "distribution"},
            )
        )
    return expectations


def _usual_row_counts(
    arrivals: Arrivals, past: Sequence[Arrivals]
) -> tuple[float | None, float | None]:
    """Return the fewest and most rows that the recent runs make likely."""
    fewest = 1.0 if arrivals.seconds is None else 0.0
    if len(past) < _USUAL_RUNS:
        return fewest, None
    if arrivals.seconds is None:
        return max(fewest, _LEAST_TABLE_RATIO * statistics.median(p.row_count for p in past)), None
    rates = [p.row_count / p.seconds for p in past if p.seconds]
    usual = statistics.median(rates) * arrivals.seconds if rates else 0.0
    if usual < _USUAL_EVENTS:
        return fewest, None
    least_ratio, greatest_ratio = _TRAFFIC_RATIOS
    return least_ratio * usual, greatest_ratio * usual


def _between(
    column: str, check_type: str, least: float | None, greatest: float | None
) -> Expectation:
    return gxe.ExpectColumnValuesToBeBetween(
        column=column, min_value=least, max_value=greatest, meta={"check_type": check_type}
    )


def _not_null(column: str, check_type: str) -> Expectation:
    return gxe.ExpectColumnValuesToNotBeNull(column=column, meta={"check_type": check_type})
