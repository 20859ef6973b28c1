"""How the jobs run that compute values."""

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards.panels import Row, board, lines, number, query, states
from monitoring.promql import by_job, longest_pause, running_since

_OF = '{job_name=~"$job_name"}'
_JOB = "{{job_name}}"
_FAILURES = by_job(f"batch_job_consecutive_failures{_OF}")
_DURATION = by_job(f"batch_job_last_duration_seconds{_OF}")
_USUAL_DURATION = by_job(f"batch_job_expected_duration_seconds{_OF}")


def jobs() -> dashboard.Dashboard:
    """Return the dashboard."""
    return board(
        "Features: jobs",
        "feature-store-jobs",
        _now(),
        _runs(),
        _time(),
        _schedule(),
        narrowed_by={"job_name": "batch_job_interval_seconds"},
    )


def _now() -> Row:
    return Row(
        "Now",
        number(
            "Failing jobs",
            "Whose last run failed.",
            query(f"count({_FAILURES} > 0) or vector(0)"),
            ill_from=1,
        ),
        number("Running", "Jobs under way.", query(f"count({running_since(_OF)}) or vector(0)")),
        number(
            "Schedule",
            "Time since it last ticked.",
            query("time() - max(scheduler_last_tick_timestamp_seconds)"),
            unit="s",
            ill_from=600,
        ),
        number(
            "Runs in an hour",
            "That ended, one way or the other.",
            query(f"sum(increase(batch_job_runs_total{_OF}[1h]))"),
        ),
        number(
            "Values in an hour",
            "Computed and published.",
            query(f"sum(increase(batch_job_records_processed_total{_OF}[1h]))"),
        ),
        number(
            "Exporter",
            "Whether it could read everything that is shown here.",
            query("min(exporter_last_scrape_success)"),
            ill_below=1,
        ),
    )


def _runs() -> Row:
    return Row(
        "Runs",
        lines(
            "Runs by ending",
            "In an hour.",
            query(f"sum by (status) (increase(batch_job_runs_total{_OF}[1h]))", "{{status}}"),
            stacked=True,
        ),
        lines(
            "Failures in a row",
            "Runs, each with its retries; three are critical.",
            query(_FAILURES, _JOB),
            limit=3,
        ),
        states(
            "Under way",
            "When each job ran.",
            query(f"{by_job(f'batch_job_running_since_timestamp{_OF}')} > bool 0", _JOB),
            well="idle",
            ill="runs",
        ),
    )


def _time() -> Row:
    since = f"(time() - ({by_job(f'batch_job_last_success_timestamp{_OF}')} > 0))"
    return Row(
        "Time",
        lines(
            "Duration",
            "Of the last successful run.",
            query(_DURATION, _JOB),
            unit="s",
        ),
        lines(
            "Duration, by what is usual",
            "1 is the median of the last runs; 2 is an alert, of jobs that take a minute.",
            query(f"{_DURATION} / on (job_name) {_USUAL_DURATION}", _JOB),
            limit=2,
        ),
        lines(
            "Since the last success, by what is allowed",
            "Beyond 1 a job is late: by a tenth of its interval, and five minutes at least.",
            query(f"{since} / on (job_name) {longest_pause(_OF)}", _JOB),
            limit=1,
        ),
        lines(
            "Durations",
            "95 % of an hour's runs took less.",
            query(
                "histogram_quantile(0.95, sum by (job_name, le) "
                f"(increase(batch_job_duration_seconds_bucket{_OF}[1h])))",
                _JOB,
            ),
            unit="s",
        ),
        lines(
            "Values of the last run",
            "A sudden fall means that something upstream is missing.",
            query(by_job(f"batch_job_last_records{_OF}"), _JOB),
        ),
    )


def _schedule() -> Row:
    return Row(
        "Schedule",
        lines(
            "Busy",
            "Jobs that the schedule runs at the moment.",
            query("max by (instance) (scheduler_jobs_running)", "{{instance}}"),
        ),
        lines(
            "Failed looks",
            "For what is deployed, in a quarter of an hour; more than two are an alert.",
            query(
                "sum by (instance) (increase(scheduler_refresh_failures_total[15m]))",
                "{{instance}}",
            ),
            limit=2,
        ),
    )
