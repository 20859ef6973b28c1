"""Read snapshots, for training and analysis."""

from collections.abc import Sequence
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import ContractViolation
from transformations.snapshots.creation import snapshot_schema
from transformations.snapshots.manifest import Manifest, day_folder
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


def _read_day(storage: Storage, feature: FeatureVersion, day: date) -> pa.Table:
    manifest = storage.manifest(day)
    if manifest is None:
        raise ContractViolation(
            f"there is no snapshot of {day}",
            hint=f"`python -m transformations snapshot create --day {day}` makes it.",
        )
    rows = read_values(storage, manifest, feature)
    if rows is None:
        raise ContractViolation(
            f"the snapshot of {day} does not hold {feature.reference}",
            hint="It was made before that version was deployed.",
        )
    return rows.append_column("snapshot_date", pa.repeat(pa.scalar(day), rows.num_rows))


def read_values(storage: Storage, manifest: Manifest, feature: FeatureVersion) -> pa.Table | None:
    """
    Return the values of a feature version in one snapshot; None if it does not hold the version.

    Returns:
        The columns of `snapshot_schema`, by entity id.
    """
    for file in manifest.files:
        if file.reference == feature.reference:
            return pq.read_table(
                storage.path(day_folder(manifest.day), file.path),
                filesystem=storage.filesystem,
                schema=snapshot_schema(feature),
                partitioning=None,
            )
    return None
