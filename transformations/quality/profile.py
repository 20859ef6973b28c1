"""What the gate looks at: figures of each source table, and the computed values as frames."""

from datetime import UTC, datetime
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from feature_repo.registry.metadata import FeatureType
from transformations.computations.decay import instant
from transformations.source_tables import EVENT_TIMES, source_table

BURST_SECONDS = 300
# In fewer events one product or user may well have most of them.
BURST_EVENTS = 1_000
_BURSTS_SHOWN = 5


def profile_expression(
    table_name: str, *, since: datetime | None, as_of: datetime, until: datetime
) -> ir.Table:
    """
    Return the profile of a source table as it was at an instant.

    Args:
        table_name: Of the source table.
        since: For events: those at or before it have been looked at already; None: none has.
        as_of: Instant of the run.
        until: Instant after which no row may lie.

    Returns:
        One row: row_count and, for each column, its number of nulls `null_<column>`, of the rows in
        (since, as_of]; newest (timestamp, null if there are no rows at all); future_count, the rows
        after `until`.
    """
    table = source_table(table_name)
    timestamp = table[EVENT_TIMES[table_name]]
    existing = table.filter((timestamp <= instant(as_of)) | timestamp.isnull())
    looked_at = _since(table_name, existing, since)
    return looked_at.aggregate(
        row_count=looked_at.count(),
        newest=existing[EVENT_TIMES[table_name]].max().as_scalar(),
        future_count=table.filter(timestamp > instant(until)).count().as_scalar(),
        **{
            f"null_{name}": looked_at.count(where=looked_at[name].isnull())
            for name in table.columns
        },
    )


def busy_expression(*, since: datetime | None, as_of: datetime) -> ir.Table:
    """
    Return the five minutes in which so much happened that one product or user should not have most.

    Returns:
        bucket (number of five minutes since 1970), bucket_count; one row each.
    """
    bucketed = _bucketed_events(since, as_of)
    counts = bucketed.group_by("bucket").aggregate(bucket_count=bucketed.count())
    return counts.filter(counts.bucket_count >= BURST_EVENTS)


def burst_expression(*, since: datetime | None, as_of: datetime) -> ir.Table:
    """
    Return who has the greatest share of the events of busy five minutes.

    Returns:
        kind (product or user), id, bucket, share (0, 1]; the few greatest shares.
    """
    in_busy = _bucketed_events(since, as_of).join(
        busy_expression(since=since, as_of=as_of), "bucket"
    )
    shares = [
        in_busy.group_by("bucket", "bucket_count", id=in_busy[f"{kind}_id"])
        .aggregate(event_count=lambda t: t.count())
        .select(
            "id",
            "bucket",
            kind=ibis.literal(kind),
            share=lambda t: t.event_count.cast("float64") / t.bucket_count,
        )
        for kind in ("product", "user")
    ]
    return (
        ibis.union(*shares)
        .order_by(ibis.desc("share"), "kind", "id", "bucket")
        .limit(_BURSTS_SHOWN)
    )


def profile_record(row: pa.Table) -> dict[str, Any]:
    """Return an executed profile as JSON-ready figures."""
    record: dict[str, Any] = row.to_pylist()[0]
    newest = record["newest"]
    return {**record, "newest": None if newest is None else newest.isoformat()}


def profile_frame(record: dict[str, Any], *, as_of: datetime) -> pd.DataFrame:
    """Return a profile as a frame of one row, with `age_seconds` of the newest row and shares."""
    newest = record["newest"]
    age = None if newest is None else (as_of - datetime.fromisoformat(newest)).total_seconds()
    nulls = {name: count for name, count in record.items() if name.startswith("null_")}
    shares = {
        name.replace("null_", "null_share_", 1): count / max(record["row_count"], 1)
        for name, count in nulls.items()
    }
    return pd.DataFrame([{**record, **shares, "age_seconds": age}])


def burst_frame(bursts: pa.Table) -> pd.DataFrame:
    """Return executed bursts as a frame of their shares, labelled by who, what and when."""
    rows = bursts.to_pylist()
    labels = [
        f"{row['kind']} {row['id']} at "
        f"{datetime.fromtimestamp(row['bucket'] * BURST_SECONDS, tz=UTC):%Y-%m-%d %H:%M}"
        for row in rows
    ]
    return pd.DataFrame({"share": [float(row["share"]) for row in rows]}, index=labels)


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


def _bucketed_events(since: datetime | None, as_of: datetime) -> ir.Table:
    events = source_table("events")
    existing = events.filter(events.event_timestamp <= instant(as_of))
    recent = _since("events", existing, since)
    seconds = recent.event_timestamp.epoch_seconds()
    return recent.mutate(bucket=(seconds / BURST_SECONDS).floor().cast("int64"))


def _since(table_name: str, existing: ir.Table, since: datetime | None) -> ir.Table:
    """Keep the rows of events that are new; of other tables any row may have changed."""
    if since is None or table_name != "events":
        return existing
    timestamp = existing[EVENT_TIMES[table_name]]
    return existing.filter((timestamp > instant(since)) | timestamp.isnull())
