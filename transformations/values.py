"""The result of a computation as one table of typed values, and as the rows that stores take."""

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES, encode
from feature_repo.stores.keys import entity_ids
from foundation.errors import ContractViolation

# Of rows; encoding takes several times the memory of what it encodes.
_ROWS_PER_PASS = 100_000


def typed_values(feature: FeatureVersion, result: pa.Table) -> pa.Table:
    """
    Return the values of a computation's result.

    Args:
        feature: Whose computation it was.
        result: The join keys and `feature_value`, or for a map `map_keys` and `map_values`; and
            `timestamp` if its values are as old as what they were made from.

    Returns:
        entity_id string, feature_value of the feature's Arrow type, and timestamp if the result has
        it; one row a row of the result, in the order of entity_id's bytes.

    Raises:
        ContractViolation: A column is missing.
    """
    is_map = feature.feature_type is FeatureType.MAP
    value_columns = ("map_keys", "map_values") if is_map else ("feature_value",)
    missing = {*feature.join_keys, *value_columns} - set(result.column_names)
    if missing:
        raise ContractViolation(
            f"{feature.reference}: the computation gives no {', '.join(sorted(missing))}",
            hint=f"`compute` in {feature.computation}.py must return the join keys and "
            + " and ".join(value_columns)
            + ".",
        )
    columns = result.combine_chunks()
    values = (
        _maps(columns["map_keys"], columns["map_values"])
        if is_map
        else _array(columns["feature_value"]).cast(VALUE_TYPES[feature.feature_type])
    )
    identifiers = entity_ids([_array(columns[join_key]) for join_key in feature.join_keys])
    order = pc.sort_indices(identifiers)
    typed = {"entity_id": identifiers.take(order), "feature_value": values.take(order)}
    if "timestamp" in columns.column_names:
        typed["timestamp"] = _array(columns["timestamp"]).take(order)
    return pa.table(typed)


def stored_rows(feature: FeatureVersion, values: pa.Table, *, as_of: datetime) -> pa.Table:
    """
    Return typed values as the rows that both stores take.

    Returns:
        entity_id string, feature_value JSON text, timestamp: the values' own, or `as_of`.
    """
    column = _array(values["feature_value"])
    texts = pa.chunked_array(
        [
            encode(column.slice(start, _ROWS_PER_PASS), feature.feature_type)
            for start in range(0, len(column), _ROWS_PER_PASS)
        ],
        pa.string(),
    )
    timestamps = (
        values["timestamp"]
        if "timestamp" in values.column_names
        else pa.repeat(pa.scalar(as_of, pa.timestamp("us", "UTC")), values.num_rows)
    )
    return pa.table(
        {"entity_id": values["entity_id"], "feature_value": texts, "timestamp": timestamps}
    )


def _array(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _maps(keys: pa.ChunkedArray, items: pa.ChunkedArray) -> pa.Array:
    key_lists, item_lists = _array(keys), _array(items)
    return pa.MapArray.from_arrays(
        key_lists.offsets,
        key_lists.values.cast(pa.string()),
        item_lists.values.cast(pa.float64()),
        mask=key_lists.is_null(),
    )
