"""Read snapshots, for training and analysis."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import ContractViolation
from transformations.snapshots.creation import snapshot_schema
from transformations.snapshots.manifest import day_folder
from transformations.snapshots.storage import Storage


def read(storage: Storage, feature: FeatureVersion, days: Sequence[date]) -> pa.Table:
    """
    Return the values of a feature version in the snapshots of some days.

    Returns:
        entity_id, feature_name, feature_value of the feature's type, version, timestamp and
        snapshot_date; by day, then entity id.

    Raises:
        ContractViolation: A day has no snapshot, or it does not hold the feature version.
    """
    tables = [_read_day(storage, feature, day) for day in days]
    schema = snapshot_schema(feature).append(pa.field("snapshot_date", pa.date32()))
    return pa.concat_tables(tables) if tables else schema.empty_table()


def sample(
    storage: Storage, feature: FeatureVersion, day: date, *, limit: int
) -> tuple[pa.Table, int]:
    """
    Return some of a feature version's rows in a day's snapshot; memory grows with the limit only.

    Args:
        storage: Where snapshots are.
        feature: Whose values.
        day: Of the snapshot.
        limit: Most rows.

    Returns:
        entity_id and feature_value, a row from each of so many equal stretches of the file and the
        same ones each time; and how many there are in all.

    Raises:
        ContractViolation: The day has no snapshot, or it does not hold the feature version.
    """
    path = _path(storage, feature, day)
    with storage.filesystem.open_input_file(path) as source, pq.ParquetFile(source) as file:
        row_count = file.metadata.num_rows
        chosen = _stratified(row_count, limit)
        parts, start = [], 0
        for batch in file.iter_batches(columns=["entity_id", "feature_value"]):
            here = chosen[(chosen >= start) & (chosen < start + batch.num_rows)] - start
            parts.append(batch.take(pa.array(here)))
            start += batch.num_rows
    schema = snapshot_schema(feature)
    sampled = pa.schema([schema.field("entity_id"), schema.field("feature_value")])
    rows = pa.Table.from_batches(parts) if parts else sampled.empty_table()
    return rows.cast(sampled), row_count


def _stratified(row_count: int, limit: int) -> NDArray[np.int64]:
    if row_count <= limit:
        return np.arange(row_count)
    stretches = np.linspace(0, row_count, limit + 1)
    chances = np.random.default_rng(row_count).random(limit)
    positions: NDArray[np.int64] = (stretches[:-1] + chances * np.diff(stretches)).astype(np.int64)
    return positions


def _read_day(storage: Storage, feature: FeatureVersion, day: date) -> pa.Table:
    rows = pq.read_table(
        _path(storage, feature, day),
        filesystem=storage.filesystem,
        schema=snapshot_schema(feature),
        partitioning=None,
    )
    return rows.append_column("snapshot_date", pa.repeat(pa.scalar(day), rows.num_rows))


def _path(storage: Storage, feature: FeatureVersion, day: date) -> str:
    manifest = storage.manifest(day)
    if manifest is None:
        raise ContractViolation(
            f"there is no snapshot of {day}",
            hint=f"`python -m transformations snapshot create --day {day}` makes it.",
        )
    for file in manifest.files:
        if file.reference == feature.reference:
            return storage.path(day_folder(day), file.path)
    raise ContractViolation(
        f"the snapshot of {day} does not hold {feature.reference}",
        hint="It was made before that version was deployed.",
    )
