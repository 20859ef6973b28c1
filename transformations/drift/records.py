"""What drift measurements leave in PostgreSQL."""

import uuid
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection
from transformations.drift.detection import Comparison
from transformations.drift.samples import Sample

DETECTED = "feature_drift_detected_total"

_KEPT = timedelta(days=90)


def record_measurement(
    connection: Connection,
    feature: FeatureVersion,
    comparison: Comparison,
    *,
    against: str,
    reference: Sample,
    current: Sample,
    now: datetime,
) -> None:
    """
    Record a measurement, of each statistic the finding that matters most, and count it if drifted.

    Measurements of three months are kept; the count is not concerned.
    """
    with connection.transaction():
        connection.execute(
            """
            INSERT INTO drift_measurements
                (measurement_id, feature_name, version, measured_at, against, reference_date,
                 reference_count, current_count, drifted, findings)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                uuid.uuid4(),
                feature.feature_name,
                feature.version,
                now,
                against,
                reference.day,
                reference.entity_count,
                current.entity_count,
                comparison.drifted,
                Jsonb([finding.as_record() for finding in comparison.worst().values()]),
            ),
        )
        connection.execute(
            """
            INSERT INTO metric_totals AS known (metric, labels, total) VALUES (%s, %s, %s)
            ON CONFLICT (metric, labels) DO UPDATE SET total = known.total + EXCLUDED.total
            """,
            (DETECTED, Jsonb({"feature_name": feature.feature_name}), int(comparison.drifted)),
        )
        connection.execute(
            """
            DELETE FROM drift_measurements
            WHERE feature_name = %s AND version = %s AND measured_at < %s
            """,
            (feature.feature_name, feature.version, now - _KEPT),
        )


def last_measured(connection: Connection, feature: FeatureVersion) -> datetime | None:
    """Return when a version's drift was last measured and recorded; None before that."""
    row = connection.execute(
        "SELECT max(measured_at) FROM drift_measurements WHERE feature_name = %s AND version = %s",
        (feature.feature_name, feature.version),
    ).fetchone()
    return None if row is None else row[0]
