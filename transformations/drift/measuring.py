"""Measure the drift of a feature version: its latest values against a reference."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import ContractViolation
from foundation.postgres import Connection
from foundation.settings import Settings
from transformations.drift.baselines import read_baseline
from transformations.drift.detection import Comparison, compare
from transformations.drift.records import record_measurement
from transformations.drift.samples import Sample, sample_latest, sample_size, sample_snapshot
from transformations.snapshots.storage import Storage

LAST = "last"
BASELINE = "baseline"


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
            "drifted": self.comparison.drifted,
            "findings": [finding.as_record() for finding in self.comparison.findings],
        }


def measure(
    settings: Settings,
    connection: Connection,
    feature: FeatureVersion,
    *,
    against: str | date,
    now: datetime,
) -> Measurement:
    """
    Measure a feature version; against the last snapshot or a baseline it is recorded, too.

    Args:
        settings: Where snapshots are, and how much to look at.
        connection: To PostgreSQL.
        feature: What to measure.
        against: `last` for the last snapshot that holds it, `baseline`, or a snapshot's day.
        now: Current instant.

    Raises:
        ContractViolation: There is no such reference, or there are no values.
    """
    limit = sample_size(settings, feature)
    current = sample_latest(connection, feature, limit=limit, now=now)
    if not current.entity_count:
        raise ContractViolation(
            f"{feature.reference} has no values of late",
            hint=f"`python -m transformations run {feature.reference}` computes them.",
        )
    reference = _reference(settings, connection, feature, against, limit)
    comparison = compare(feature, reference.values, current.values)
    if against in {LAST, BASELINE}:
        record_measurement(
            connection,
            feature,
            comparison,
            against=str(against),
            reference=reference,
            current=current,
            now=now,
        )
    return Measurement(feature, str(against), reference, current, comparison, now)


def _reference(
    settings: Settings,
    connection: Connection,
    feature: FeatureVersion,
    against: str | date,
    limit: int,
) -> Sample:
    if against == BASELINE:
        baseline = read_baseline(connection, feature)
        if baseline is None:
            raise ContractViolation(
                f"{feature.reference} has no baseline",
                hint="`python -m monitoring baseline pin "
                f"{feature.feature_name} {feature.version}` makes the last snapshot one.",
            )
        return baseline
    day = against if isinstance(against, date) else None
    return sample_snapshot(Storage.open(settings), feature, day, limit=limit)
