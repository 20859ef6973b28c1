"""Values that somebody pushes, checked as far as one can without knowing the run they are of."""

import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.history.entity_rows import EntityRows
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES, encode
from feature_repo.stores.partitions import HISTORY_END
from foundation.errors import ContractViolation


def pushed_rows(feature: FeatureVersion, table: pa.Table) -> pa.Table:
    """
    Return pushed values as the rows that the offline tables take.

    Args:
        feature: Whose values they are.
        table: The join keys, the feature, and event_timestamp; naive ones are of UTC.

    Returns:
        entity_id, feature_value as JSON text, timestamp.

    Raises:
        ContractViolation: A value is missing, of another type or out of range, an entity has two
            of one timestamp, or a timestamp is too late for the history.
    """
    rows = EntityRows.from_arrow(table)
    entities = rows.entities(feature.join_keys)
    values = _typed(feature, rows.table[feature.feature_name])
    complete = (entities.codes.null_count, rows.instants.null_count, values.null_count)
    if any(complete):
        raise _refusal(feature, f"{max(complete)} rows lack a key, a timestamp or a value")
    _check_instants(feature, rows)
    _check_numbers(feature, values)
    written = pa.table(
        {
            "entity_id": entities.ids.take(entities.codes),
            "feature_value": encode(values, feature.feature_type),
            "timestamp": rows.instants,
        }
    )
    twice = len(written) - len(written.group_by(["entity_id", "timestamp"]).aggregate([]))
    if twice:
        raise _refusal(feature, f"{twice} rows are of an entity and timestamp that came before")
    return written.sort_by("entity_id")


def _typed(feature: FeatureVersion, column: pa.ChunkedArray) -> pa.Array:
    wanted = VALUE_TYPES[feature.feature_type]
    try:
        if feature.feature_type is FeatureType.MAP and not pa.types.is_map(column.type):
            # What pandas makes of dictionaries has a field for each key of any row.
            return pa.array([_items(row) for row in column.to_pylist()], wanted)
        return pa.concat_arrays([pa.array([], wanted), *column.cast(wanted).chunks])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise _refusal(feature, f"{column.type} is no {feature.feature_type}: {error}") from error


def _items(row: Mapping[str, Any] | None) -> list[tuple[str, Any]] | None:
    return None if row is None else [(k, v) for k, v in row.items() if v is not None]


def _check_instants(feature: FeatureVersion, rows: EntityRows) -> None:
    bounds = rows.bounds()
    if bounds is not None and bounds[1] >= HISTORY_END:
        raise _refusal(
            feature,
            f"{rows.timestamp_column} {bounds[1]} is not before {HISTORY_END:%Y-%m-%d}, where "
            "the history ends",
        )


def _check_numbers(feature: FeatureVersion, values: pa.Array) -> None:
    if feature.feature_type is FeatureType.STRING:
        return
    numbers = values
    if feature.feature_type is FeatureType.VECTOR:
        lengths = set(pc.list_value_length(values).to_pylist()) - {feature.vector_length}
        if lengths:
            raise _refusal(
                feature, f"a vector has {min(lengths)} numbers, not {feature.vector_length}"
            )
        numbers = values.flatten()
    elif feature.feature_type is FeatureType.MAP:
        numbers = values.items
    if numbers.null_count or not pc.all(pc.is_finite(numbers), min_count=0).as_py():
        raise _refusal(feature, "a number is missing, NaN or infinite")
    low, high = feature.valid_range or (-math.inf, math.inf)
    found = pc.min_max(numbers).as_py()
    if len(numbers) and not low <= found["min"] <= found["max"] <= high:
        raise _refusal(feature, f"[{found['min']}, {found['max']}] is not within [{low}, {high}]")


def _refusal(feature: FeatureVersion, reason: str) -> ContractViolation:
    return ContractViolation(
        f"values of {feature.reference}: {reason}; nothing was written",
        hint=f"`python -m feature_repo show {feature.feature_name}` tells what they must be.",
    )
