"""Alerts of the jobs that compute values."""

from datetime import timedelta

from monitoring.alerts.alert import SCHEDULER, Alert, Severity, by_job

_AT_ONCE = timedelta(0)
_RUNNING_SINCE = f"({by_job('batch_job_running_since_timestamp')} > 0)"
# Of jobs that take seconds, twice as long is chance.
_TOO_LONG = f"clamp_min(2 * {by_job('batch_job_expected_duration_seconds')}, 60)"
_INTERVAL = by_job("batch_job_interval_seconds")

ALERTS = (
    Alert(
        name="JobFailed",
        expression=f"{by_job('batch_job_consecutive_failures')} > 0",
        hold=_AT_ONCE,
        severity=Severity.WARNING,
        summary="{{ $labels.job_name }}: the last run failed",
        description="The values of the run before are served; the next run may mend it.",
    ),
    Alert(
        name="JobFailingRepeatedly",
        expression=f"{by_job('batch_job_consecutive_failures')} >= 3",
        hold=_AT_ONCE,
        severity=Severity.CRITICAL,
        summary="{{ $labels.job_name }}: the last {{ $value }} runs failed",
        description="It does not mend itself; its values get older and older.",
    ),
    Alert(
        name="JobSlow",
        expression=(
            f"(time() - {_RUNNING_SINCE}) > on (job_name) {_TOO_LONG} "
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
        expression=f"{by_job('batch_job_last_records')} == 0",
        hold=_AT_ONCE,
        severity=Severity.WARNING,
        summary="{{ $labels.job_name }}: the last run succeeded without a single value",
        description="Its source tables may be empty.",
    ),
    Alert(
        name="JobOverdue",
        expression=(
            f"(time() - {by_job('batch_job_last_success_timestamp')} "
            f"> on (job_name) ({_INTERVAL} + clamp_min(0.1 * {_INTERVAL}, 300))) "
            f"unless on (job_name) {_RUNNING_SINCE}"
        ),
        hold=timedelta(minutes=10),
        severity=Severity.WARNING,
        summary="{{ $labels.job_name }} has not succeeded within its interval, and does not run",
        description="Nobody started it, or it waits for what it depends on.",
    ),
    Alert(
        name="SchedulerDown",
        # No alert where jobs are started otherwise, and there is none to scrape.
        expression=(
            f'up{{job="{SCHEDULER}"}} == 0 '
            f'or time() - scheduler_last_tick_timestamp_seconds{{job="{SCHEDULER}"}} > 600'
        ),
        hold=timedelta(minutes=2),
        severity=Severity.CRITICAL,
        summary="The schedule {{ $labels.instance }} does not answer or has stopped ticking",
        description="No job is started; all values get older.",
    ),
)
