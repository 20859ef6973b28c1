"""Counters that outlive processes: every ended run is added to the totals once."""

from collections.abc import Mapping
from dataclasses import dataclass

from foundation.postgres import Connection

RUNS = "batch_job_runs_total"
RECORDS = "batch_job_records_processed_total"
DURATION_BUCKET = "batch_job_duration_seconds_bucket"
DURATION_SUM = "batch_job_duration_seconds_sum"
CHECKS = "feature_quality_checks_total"

# In seconds; a run counts in the smallest that it does not exceed, or in +Inf.
DURATION_BOUNDS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0)

_ONE_AT_A_TIME = "SELECT pg_try_advisory_xact_lock(hashtextextended('count runs', 0))"

_COUNT = """
WITH ended AS (
    UPDATE computation_runs SET counted = true
    WHERE NOT counted AND NOT backfill AND status <> 'running'
    RETURNING job_name, feature_name, started_at, finished_at, status, row_count, checks
), job_run AS (
    SELECT job_name, status, sum(row_count) AS row_count,
           extract(epoch FROM max(finished_at) - started_at)::float8 AS seconds
    FROM ended GROUP BY job_name, started_at, status
), increment (metric, labels, amount) AS (
    SELECT %(runs)s, jsonb_build_object('job_name', job_name, 'status', status), count(*)::float8
    FROM job_run GROUP BY job_name, status
    UNION ALL
    SELECT %(records)s, jsonb_build_object('job_name', job_name), sum(row_count)::float8
    FROM job_run WHERE status = 'succeeded' GROUP BY job_name
    UNION ALL
    SELECT %(duration_sum)s, jsonb_build_object('job_name', job_name), sum(seconds)
    FROM job_run WHERE status <> 'skipped' GROUP BY job_name
    UNION ALL
    SELECT %(duration_bucket)s, jsonb_build_object('job_name', job_name, 'le', le), count(*)
    FROM job_run, LATERAL (
        SELECT coalesce(min(bound)::text, '+Inf') AS le
        FROM unnest(%(bounds)s::float8[]) AS bound WHERE seconds <= bound) AS smallest
    WHERE status <> 'skipped' GROUP BY job_name, le
    UNION ALL
    SELECT %(checks)s,
           jsonb_build_object('feature_name', feature_name, 'check_type', found ->> 'check_type',
               'status', CASE WHEN (found ->> 'success')::boolean THEN 'pass' ELSE 'fail' END),
           count(*)
    FROM ended, jsonb_array_elements(checks) AS found
    WHERE status <> 'skipped'
    GROUP BY feature_name, found ->> 'check_type', (found ->> 'success')::boolean
)
INSERT INTO metric_totals AS known (metric, labels, total)
SELECT metric, labels, amount FROM increment WHERE amount IS NOT NULL
ON CONFLICT (metric, labels) DO UPDATE SET total = known.total + EXCLUDED.total
"""


@dataclass(frozen=True)
class Total:
    """
    A counter's value.

    Attributes:
        metric: Its name.
        labels: By name.
        value: Since the first run on record.
    """

    metric: str
    labels: Mapping[str, str]
    value: float


def count_runs(connection: Connection) -> None:
    """
    Add the runs that have ended since the last call to the totals, backfills aside.

    Several exporters may call it: a run is added by one of them.
    """
    with connection.transaction():
        row = connection.execute(_ONE_AT_A_TIME).fetchone()
        if row is not None and row[0]:
            connection.execute(
                _COUNT,
                {
                    "runs": RUNS,
                    "records": RECORDS,
                    "duration_sum": DURATION_SUM,
                    "duration_bucket": DURATION_BUCKET,
                    "checks": CHECKS,
                    "bounds": list(DURATION_BOUNDS),
                },
            )


def read_totals(connection: Connection) -> list[Total]:
    """Return all totals."""
    rows = connection.execute(
        "SELECT metric, labels, total FROM metric_totals ORDER BY metric, labels"
    ).fetchall()
    return [Total(*row) for row in rows]
