"""Measure the drift of a feature version: its latest values against a reference."""

from datetime import date, datetime

from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import ContractViolation
from foundation.postgres import Connection
from foundation.settings import Settings
from transformations.drift.baselines import read_baseline
from transformations.drift.detection import compare
from transformations.drift.records import Measurement, record_measurement
from transformations.drift.samples import Sample, sample_latest, sample_size, sample_snapshot
from transformations.snapshots.storage import Storage

LAST = "last"
BASELINE = "baseline"


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
    counts = reference.entity_count, current.entity_count
    comparison = compare(feature, reference.values, current.values, entity_counts=counts)
    measured = Measurement(feature, str(against), reference, current, comparison, now)
    if against in {LAST, BASELINE}:
        record_measurement(connection, measured)
    return measured


def references(connection: Connection, feature: FeatureVersion) -> list[str]:
    """Return what a feature version is measured against: the last snapshot, and its baseline."""
    return [LAST] if read_baseline(connection, feature) is None else [LAST, BASELINE]


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
