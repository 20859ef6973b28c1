"""Drift measurements, and what they leave in PostgreSQL."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection
from transformations.drift.detection import Comparison, State
from transformations.drift.samples import Sample

DETECTED = "feature_drift_detected_total"

_KEPT = timedelta(days=90)

_INSERT = """
INSERT INTO drift_measurements
    (measurement_id, feature_name, version, measured_at, against, reference_date,
     reference_count, current_count, drifted, too_few, findings)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_COUNT = """
INSERT INTO metric_totals AS known (metric, labels, total) VALUES (%s, %s, %s)
ON CONFLICT (metric, labels) DO UPDATE SET total = known.total + EXCLUDED.total
"""
_FORGET = """
DELETE FROM drift_measurements WHERE feature_name = %s AND version = %s AND measured_at < %s
"""


@dataclass(frozen=True)
class Measurement:
    """
    How far a feature version's latest values are from a reference.

    Attributes:
        feature: Whose values.
        against: `last` snapshot, `baseline`, or a date.
        reference: A sample of the reference.
        current: A sample of the latest values.
        comparison: What differs.
        measured_at: When.
    """

    feature: FeatureVersion
    against: str
    reference: Sample
    current: Sample
    comparison: Comparison
    measured_at: datetime

    def as_record(self) -> dict[str, Any]:
        """Return the measurement as JSON-ready fields, without the values."""
        return {
            "feature_name": self.feature.feature_name,
            "version": self.feature.version,
            "measured_at": self.measured_at.isoformat(),
            "against": self.against,
            "reference_date": str(self.reference.day),
            "reference_count": self.reference.entity_count,
            "current_count": self.current.entity_count,
            "state": self.comparison.state.value,
            "drifted": self.comparison.drifted,
            "findings": [finding.as_record() for finding in self.comparison.findings],
        }


def record_measurement(connection: Connection, measured: Measurement) -> None:
    """
    Record a measurement, of each statistic the finding that matters most, and count it if drifted.

    Measurements of three months are kept; the count is not concerned.
    """
    feature, comparison = measured.feature, measured.comparison
    identity = feature.feature_name, feature.version
    row = (
        uuid.uuid4(),
        *identity,
        measured.measured_at,
        measured.against,
        measured.reference.day,
        measured.reference.entity_count,
        measured.current.entity_count,
        comparison.drifted,
        comparison.state is State.TOO_FEW,
        Jsonb([finding.as_record() for finding in comparison.worst().values()]),
    )
    labels = Jsonb({"feature_name": feature.feature_name, "against": measured.against})
    with connection.transaction():
        connection.execute(_INSERT, row)
        connection.execute(_COUNT, (DETECTED, labels, int(comparison.drifted)))
        connection.execute(_FORGET, (*identity, measured.measured_at - _KEPT))


def last_measured(connection: Connection, feature: FeatureVersion) -> datetime | None:
    """Return when a version's drift was last measured and recorded; None before that."""
    row = connection.execute(
        "SELECT max(measured_at) FROM drift_measurements WHERE feature_name = %s AND version = %s",
        (feature.feature_name, feature.version),
    ).fetchone()
    return None if row is None else row[0]
