"""What the gate looks at: a few figures of each source table, and the computed values as frames."""

from datetime import datetime
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from feature_repo.registry.metadata import FeatureType
from transformations.computations.decay import instant
from transformations.source_tables import EVENT_TIMES, SCHEMAS, source_table


def profile_expression(table_name: str, *, as_of: datetime) -> ir.Table:
    """
    Return the profile of a source table as it was at an instant.

    Returns:
        One row: row_count, newest (timestamp, null if there are no rows), and for each required
        column `null_<column>`, its number of nulls.
    """
    table = source_table(table_name)
    timestamp = table[EVENT_TIMES[table_name]]
    existing = table.filter((timestamp <= instant(as_of)) | timestamp.isnull())
    required = [name for name, dtype in SCHEMAS[table_name].items() if not dtype.nullable]
    return existing.aggregate(
        row_count=existing.count(),
        newest=existing[EVENT_TIMES[table_name]].max(),
        **{f"null_{name}": existing.count(where=existing[name].isnull()) for name in required},
    )


def profile_record(row: pa.Table) -> dict[str, Any]:
    """Return an executed profile as JSON-ready figures."""
    record: dict[str, Any] = row.to_pylist()[0]
    newest = record["newest"]
    return {**record, "newest": None if newest is None else newest.isoformat()}


def profile_frame(record: dict[str, Any], *, as_of: datetime) -> pd.DataFrame:
    """Return a profile as a frame of one row, with `age_seconds` of the newest row."""
    newest = record["newest"]
    age = None if newest is None else (as_of - datetime.fromisoformat(newest)).total_seconds()
    figures = {name: value for name, value in record.items() if name != "newest"}
    return pd.DataFrame([{**figures, "age_seconds": age}])


def value_frames(
    values: pa.Table, feature_type: FeatureType
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """
    Return computed values as frames that expectations can be held against.

    Args:
        values: entity_id and feature_value; one row an entity.
        feature_type: Type of feature_value.

    Returns:
        First entity_id and feature_value, for a map or vector its number of items; one row an
        entity. Then, for a map or vector only, one row an item: `item`. Both are indexed by entity
        id, so that a row that fails is known by it.
    """
    entity_ids = values["entity_id"].to_pandas().to_numpy()
    entities = pd.DataFrame({"entity_id": entity_ids}, index=entity_ids)
    column = values["feature_value"].combine_chunks()
    if feature_type in {FeatureType.FLOAT, FeatureType.STRING}:
        return entities.assign(feature_value=column.to_pandas().to_numpy()), None
    items = column.items if feature_type is FeatureType.MAP else column.values
    lengths = np.diff(column.offsets.to_numpy())
    present = column.is_valid().to_numpy(zero_copy_only=False)
    return (
        entities.assign(feature_value=np.where(present, lengths, np.nan)),
        pd.DataFrame(
            {"item": items.to_numpy(zero_copy_only=False)},
            index=np.repeat(entity_ids, lengths),
        ),
    )
