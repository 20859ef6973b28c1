"""Alerts of the jobs that compute values."""

from datetime import timedelta

from monitoring.alerts.alert import Alert, Severity
from monitoring.alerts.owners import job_with_owner
from monitoring.promql import SCHEDULER, by_job, longest_pause, running_since

_AT_ONCE = timedelta(0)
# Of jobs that take seconds, twice as long is chance.
_TOO_LONG = f"clamp_min(2 * {by_job('batch_job_expected_duration_seconds')}, 60)"
_SCHEDULER_UP = f'up{{job="{SCHEDULER}"}}'

ALERTS = (
    Alert(
        name="JobFailed",
        expression=job_with_owner(f"{by_job('batch_job_consecutive_failures')} > 0"),
        # A store that was away for a moment is tried again after one.
        hold=timedelta(minutes=2),
        severity=Severity.WARNING,
        summary="{{ $labels.job_name }}: the last run failed",
        description="The values of the run before are served; the next run may mend it.",
    ),
    Alert(
        name="JobFailingRepeatedly",
        expression=job_with_owner(f"{by_job('batch_job_consecutive_failures')} >= 3"),
        hold=_AT_ONCE,
        severity=Severity.CRITICAL,
        summary="{{ $labels.job_name }}: the last {{ $value }} runs failed",
        description="It does not mend itself; its values get older and older.",
    ),
    Alert(
        name="JobSkipped",
        expression=job_with_owner(f"{by_job('batch_job_consecutive_skips')} > 0"),
        hold=timedelta(minutes=2),
        severity=Severity.WARNING,
        summary="{{ $labels.job_name }}: the last run was skipped",
        description="What it depends on did not succeed; its own values get older.",
    ),
    Alert(
        name="JobSlow",
        expression=job_with_owner(
            f"(time() - {running_since()}) > on (job_name) {_TOO_LONG} "
            f"or {by_job('batch_job_last_duration_seconds')} > on (job_name) {_TOO_LONG}"
        ),
        hold=_AT_ONCE,
        severity=Severity.WARNING,
        summary=(
            "{{ $labels.job_name }} takes {{ $value | humanizeDuration }}, more than twice as "
            "long as usual"
        ),
        description="It may hang, or have grown out of its interval.",
    ),
    Alert(
        name="JobWithoutOutput",
        expression=job_with_owner(f"{by_job('batch_job_last_records')} == 0"),
        hold=_AT_ONCE,
        severity=Severity.WARNING,
        summary="{{ $labels.job_name }}: the last run succeeded without a single value",
        description="Its source tables may be empty.",
    ),
    Alert(
        name="JobOverdue",
        expression=job_with_owner(
            f"(time() - {by_job('batch_job_last_success_timestamp')} "
            f"> on (job_name) {longest_pause()}) unless on (job_name) {running_since()}"
        ),
        hold=timedelta(minutes=10),
        severity=Severity.WARNING,
        summary="{{ $labels.job_name }} has not succeeded within its interval, and does not run",
        description="Nobody started it, or it waits for what it depends on.",
    ),
    Alert(
        name="SchedulerDown",
        # No alert where jobs are started otherwise, and there never was one to scrape.
        expression=(
            f"{_SCHEDULER_UP} == 0 "
            f'or time() - scheduler_last_tick_timestamp_seconds{{job="{SCHEDULER}"}} > 600 '
            f"or (absent({_SCHEDULER_UP}) "
            f"and on () count(last_over_time({_SCHEDULER_UP}[1d])) > 0)"
        ),
        hold=timedelta(minutes=2),
        severity=Severity.CRITICAL,
        summary="The schedule {{ $labels.instance }} does not answer or has stopped ticking",
        description="No job is started; all values get older.",
    ),
    Alert(
        name="SchedulerBlind",
        expression="sum by (instance) (increase(scheduler_refresh_failures_total[15m])) > 2",
        hold=timedelta(minutes=5),
        severity=Severity.WARNING,
        summary="The schedule {{ $labels.instance }} can't read what is deployed",
        description="It goes on with what it knows: new features are not computed.",
    ),
)
