"""How the jobs run that compute values."""

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards.panels import board, lines, number, query, states

_OF = '{job_name=~"$job_name"}'


def _by_job(metric: str) -> str:
    return f"max by (job_name) ({metric}{_OF})"


def jobs() -> dashboard.Dashboard:
    """Return the dashboard."""
    running_since = f"({_by_job('batch_job_running_since_timestamp')} > 0)"
    since = f"(time() - ({_by_job('batch_job_last_success_timestamp')} > 0))"
    return (
        board(
            "Features: jobs",
            "feature-store-jobs",
            narrowed_by={"job_name": "batch_job_interval_seconds"},
        )
        .with_row(dashboard.Row("Now"))
        .with_panel(
            number(
                "Failing jobs",
                "Whose last run failed.",
                query(f"count({_by_job('batch_job_consecutive_failures')} > 0) or vector(0)"),
                ill_from=1,
            )
        )
        .with_panel(
            number(
                "Running",
                "Jobs under way.",
                query(f"count({running_since}) or vector(0)"),
            )
        )
        .with_panel(
            number(
                "Schedule",
                "Time since it last ticked.",
                query("time() - max(scheduler_last_tick_timestamp_seconds)"),
                unit="s",
                ill_from=600,
            )
        )
        .with_panel(
            number(
                "Runs in an hour",
                "That ended, one way or the other.",
                query(f"sum(increase(batch_job_runs_total{_OF}[1h]))"),
            )
        )
        .with_panel(
            number(
                "Values in an hour",
                "Computed and published.",
                query(f"sum(increase(batch_job_records_processed_total{_OF}[1h]))"),
            )
        )
        .with_panel(
            number(
                "Exporter",
                "Whether it could read everything that is shown here.",
                query("min(exporter_last_scrape_success)"),
                ill_below=1,
            )
        )
        .with_row(dashboard.Row("Runs"))
        .with_panel(
            lines(
                "Runs by ending",
                "In an hour.",
                query(f"sum by (status) (increase(batch_job_runs_total{_OF}[1h]))", "{{status}}"),
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Failures in a row",
                "Three are critical.",
                query(_by_job("batch_job_consecutive_failures"), "{{job_name}}"),
                limit=3,
            )
        )
        .with_panel(
            states(
                "Under way",
                "When each job ran.",
                query(f"{_by_job('batch_job_running_since_timestamp')} > bool 0", "{{job_name}}"),
                well="idle",
                ill="runs",
            )
        )
        .with_row(dashboard.Row("Time"))
        .with_panel(
            lines(
                "Duration",
                "Of the last successful run.",
                query(_by_job("batch_job_last_duration_seconds"), "{{job_name}}"),
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Duration, by what is usual",
                "1 is the median of the last runs; 2 is an alert, of jobs that take a minute.",
                query(
                    f"{_by_job('batch_job_last_duration_seconds')} / on (job_name) "
                    f"{_by_job('batch_job_expected_duration_seconds')}",
                    "{{job_name}}",
                ),
                limit=2,
            )
        )
        .with_panel(
            lines(
                "Since the last success, by interval",
                "Beyond 1 a job is late.",
                query(
                    f"{since} / on (job_name) {_by_job('batch_job_interval_seconds')}",
                    "{{job_name}}",
                ),
                limit=1.1,
            )
        )
        .with_panel(
            lines(
                "Durations",
                "95 % of an hour's runs took less.",
                query(
                    "histogram_quantile(0.95, sum by (job_name, le) "
                    f"(increase(batch_job_duration_seconds_bucket{_OF}[1h])))",
                    "{{job_name}}",
                ),
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Values of the last run",
                "A sudden fall means that something upstream is missing.",
                query(_by_job("batch_job_last_records"), "{{job_name}}"),
            )
        )
        .with_panel(
            lines(
                "Busy",
                "Jobs that the schedule runs at the moment.",
                query("max by (instance) (scheduler_jobs_running)", "{{instance}}"),
            )
        )
    )
