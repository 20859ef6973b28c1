"""Alerts of what the values are, whoever asks for them."""

from datetime import timedelta

from monitoring.alerts.alert import Alert, Severity
from monitoring.alerts.owners import with_job
from monitoring.promql import EXPORTER, by_job, by_version

_AT_ONCE = timedelta(0)
# A night's snapshot is there some hours after its midnight.
_SNAPSHOT_AGE_SECONDS = 30 * 3_600

ALERTS = (
    Alert(
        name="FeatureStale",
        # As a run ends, values are as old as its interval and its duration together.
        expression=(
            f"{with_job(by_version('feature_freshness_seconds'))} "
            "> on (feature_name, version, job_name, owner) "
            f"({with_job(by_version('feature_staleness_tolerance_seconds'))} "
            f"+ on (job_name) group_left () 2 * {by_job('batch_job_expected_duration_seconds')})"
        ),
        hold=timedelta(minutes=3),
        severity=Severity.WARNING,
        summary=(
            "{{ $labels.feature_name }}=={{ $labels.version }} was last computed "
            "{{ $value | humanizeDuration }} ago, longer than tolerated"
        ),
        description="Models decide on values that are older than they were trained on.",
    ),
    Alert(
        name="QualityCheckFailed",
        expression=with_job(f"{by_version('feature_failed_checks')} > 0"),
        hold=_AT_ONCE,
        severity=Severity.WARNING,
        summary=(
            "{{ $labels.feature_name }}=={{ $labels.version }}: the last run failed "
            "{{ $value }} quality checks"
        ),
        description="Its values were not published; those of the run before are served.",
    ),
    Alert(
        name="FeatureDrifted",
        expression=with_job("max by (feature_name, version, against) (feature_drifting) == 1"),
        hold=_AT_ONCE,
        severity=Severity.WARNING,
        summary=(
            "{{ $labels.feature_name }}=={{ $labels.version }} has moved away from what it was "
            "({{ $labels.against }})"
        ),
        description="Models see values that are unlike those they were trained on.",
    ),
    Alert(
        name="SnapshotMissing",
        # Nobody knows of snapshots while the exporter is away.
        expression=(
            f"max(snapshot_age_seconds) > {_SNAPSHOT_AGE_SECONDS} or (absent(snapshot_age_seconds) "
            "and on () count(batch_job_info offset 30h) > 0 "
            f'and on () max(up{{job="{EXPORTER}"}}) == 1)'
        ),
        hold=timedelta(minutes=10),
        severity=Severity.WARNING,
        summary="There is no snapshot of last night",
        description="Training and drift see no values of that day once their history has gone.",
    ),
    Alert(
        name="SourceStale",
        expression=(
            "max by (data_source) (data_freshness_seconds) > on (data_source) "
            "max by (data_source) (data_freshness_limit_seconds)"
        ),
        hold=timedelta(minutes=10),
        severity=Severity.WARNING,
        summary=(
            "{{ $labels.data_source }}: nothing new and no change for "
            "{{ $value | humanizeDuration }}"
        ),
        description="What brings it from the shop may have stopped; new products have no features.",
    ),
)
