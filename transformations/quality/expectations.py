"""Which expectations hold for a source table and for a feature version's values."""

import sys

from great_expectations import expectations as gxe
from great_expectations.expectations.expectation import Expectation

from feature_repo.registry.metadata import FeatureType, FeatureVersion


def input_expectations(
    required_columns: list[str], *, max_age_seconds: float | None
) -> list[Expectation]:
    """
    Return what the profile of a source table must meet.

    Args:
        required_columns: Columns that hold no null.
        max_age_seconds: Greatest age of the newest row; None where rows don't come all the time.
    """
    expectations: list[Expectation] = [
        gxe.ExpectColumnValuesToBeBetween(
            column="row_count", min_value=1, meta={"check_type": "volume"}
        )
    ]
    expectations += [
        gxe.ExpectColumnValuesToBeBetween(
            column=f"null_{name}", max_value=0, meta={"check_type": "completeness"}
        )
        for name in required_columns
    ]
    if max_age_seconds is not None:
        expectations.append(
            gxe.ExpectColumnValuesToBeBetween(
                column="age_seconds", max_value=max_age_seconds, meta={"check_type": "freshness"}
            )
        )
    return expectations


def entity_expectations(
    feature: FeatureVersion, *, last_row_count: int | None
) -> list[Expectation]:
    """
    Return what the entities of a run must meet, one row an entity.

    Args:
        feature: Whose values they are.
        last_row_count: Rows of the last good run; None before the first.
    """
    expected = feature.expectations
    fewest = max(
        expected.min_row_count, round((last_row_count or 0) * expected.min_row_count_ratio)
    )
    expectations: list[Expectation] = [
        gxe.ExpectTableRowCountToBeBetween(min_value=fewest, meta={"check_type": "row_count"}),
        gxe.ExpectColumnValuesToNotBeNull(column="entity_id", meta={"check_type": "null_key"}),
        gxe.ExpectColumnValuesToBeUnique(column="entity_id", meta={"check_type": "duplicate_key"}),
        gxe.ExpectColumnValuesToNotBeNull(column="feature_value", meta={"check_type": "null"}),
    ]
    match feature.feature_type:
        case FeatureType.FLOAT:
            expectations += _number_expectations(feature, column="feature_value")
        case FeatureType.VECTOR:
            expectations.append(
                gxe.ExpectColumnValuesToBeBetween(
                    column="feature_value",
                    min_value=feature.vector_length,
                    max_value=feature.vector_length,
                    meta={"check_type": "vector_length"},
                )
            )
        case FeatureType.MAP | FeatureType.STRING:
            pass
    return expectations


def item_expectations(feature: FeatureVersion) -> list[Expectation]:
    """Return what the items of maps and vectors must meet, one row an item."""
    return [
        gxe.ExpectColumnValuesToNotBeNull(column="item", meta={"check_type": "null"}),
        *_number_expectations(feature, column="item"),
    ]


def _number_expectations(feature: FeatureVersion, *, column: str) -> list[Expectation]:
    # Without a declared range a number must still be finite: JSON has no infinity.
    least, greatest = feature.valid_range or (-sys.float_info.max, sys.float_info.max)
    expectations: list[Expectation] = [
        gxe.ExpectColumnValuesToBeBetween(
            column=column, min_value=least, max_value=greatest, meta={"check_type": "range"}
        )
    ]
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
