"""Pinned baselines: what a feature version's values should go on looking like."""

import io
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection
from transformations.drift.samples import Sample


@dataclass(frozen=True)
class Baseline:
    """
    Which snapshot a version is held against.

    Attributes:
        reference: Feature version.
        day: Of the snapshot.
        entity_count: Entities in it.
        pinned_at: Since when.
    """

    reference: str
    day: date
    entity_count: int
    pinned_at: datetime


def pin(
    connection: Connection, feature: FeatureVersion, sample: Sample, *, now: datetime
) -> Baseline:
    """Make a sample of a snapshot the baseline of a feature version, instead of another."""
    assert sample.day is not None, "a baseline is a snapshot's"  # noqa: S101
    sink = io.BytesIO()
    pq.write_table(pa.table({"feature_value": sample.values}), sink, compression="zstd")
    connection.execute(
        """
        INSERT INTO drift_baselines
            (feature_name, version, snapshot_date, entity_count, sample, pinned_at)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (feature_name, version) DO UPDATE SET
            snapshot_date = EXCLUDED.snapshot_date, entity_count = EXCLUDED.entity_count,
            sample = EXCLUDED.sample, pinned_at = EXCLUDED.pinned_at
        """,
        (
            feature.feature_name,
            feature.version,
            sample.day,
            sample.entity_count,
            sink.getvalue(),
            now,
        ),
    )
    return Baseline(feature.reference, sample.day, sample.entity_count, now)


def unpin(connection: Connection, feature: FeatureVersion) -> bool:
    """Forget a version's baseline; returns whether it had one."""
    cursor = connection.execute(
        "DELETE FROM drift_baselines WHERE feature_name = %s AND version = %s",
        (feature.feature_name, feature.version),
    )
    return cursor.rowcount > 0


def read_baseline(connection: Connection, feature: FeatureVersion) -> Sample | None:
    """Return a version's baseline; None if none is pinned."""
    row = connection.execute(
        """
        SELECT sample, entity_count, snapshot_date FROM drift_baselines
        WHERE feature_name = %s AND version = %s
        """,
        (feature.feature_name, feature.version),
    ).fetchone()
    if row is None:
        return None
    values = pq.read_table(io.BytesIO(row[0]))["feature_value"].combine_chunks()
    return Sample(values, row[1], row[2])


def list_baselines(connection: Connection) -> list[Baseline]:
    """Return all baselines, by feature version."""
    rows = connection.execute(
        """
        SELECT feature_name || '==' || version, snapshot_date, entity_count, pinned_at
        FROM drift_baselines ORDER BY 1
        """
    ).fetchall()
    return [Baseline(*row) for row in rows]
