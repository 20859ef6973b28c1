"""Alerts of what the values are, whoever asks for them."""

from datetime import timedelta

from monitoring.alerts.alert import Alert, Severity, by_job, by_version, with_job

_AT_ONCE = timedelta(0)
# A night's snapshot is there some hours after its midnight.
_SNAPSHOT_AGE_SECONDS = 30 * 3_600

ALERTS = (
    Alert(
        name="FeatureStale",
        # As a run ends, values are as old as its interval and its duration together.
        expression=(
            f"{with_job(by_version('feature_freshness_seconds'))} "
            "> on (feature_name, version, job_name) "
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
        expression=with_job(f"{by_version('feature_drifting')} == 1"),
        hold=_AT_ONCE,
        severity=Severity.WARNING,
        summary=(
            "{{ $labels.feature_name }}=={{ $labels.version }} has moved away from what it was"
        ),
        description="Models see values that are unlike those they were trained on.",
    ),
    Alert(
        name="SnapshotMissing",
        expression=(
            f"max(snapshot_age_seconds) > {_SNAPSHOT_AGE_SECONDS} or (absent(snapshot_age_seconds) "
            "and on () count(batch_job_info offset 30h) > 0)"
        ),
        hold=timedelta(minutes=10),
        severity=Severity.WARNING,
        summary="There is no snapshot of last night",
        description="Training and drift see no values of that day once their history has gone.",
    ),
)
