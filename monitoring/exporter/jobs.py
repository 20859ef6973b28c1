"""What the run records say of each job, and of each feature version's last publication."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from foundation.postgres import Connection

_DURATIONS_LOOKED_AT = 20

_JOBS = """
SELECT job_name, success.finished_at AS succeeded_at, success.seconds AS last_seconds,
       success.records AS last_records, usual.seconds AS expected_seconds,
       (SELECT count(DISTINCT started_at) FROM computation_runs AS run
        WHERE run.job_name = job.job_name AND NOT backfill AND status = 'failed' AND attempt = 1
          AND started_at > coalesce(success.started_at, '-infinity')) AS consecutive_failures,
       (SELECT count(DISTINCT started_at) FROM computation_runs AS run
        WHERE run.job_name = job.job_name AND NOT backfill AND status = 'skipped'
          AND started_at > coalesce(success.started_at, '-infinity')) AS consecutive_skips,
       (SELECT max(started_at) FROM computation_runs AS run
        WHERE run.job_name = job.job_name AND NOT backfill AND status = 'running'
          AND started_at > coalesce(success.started_at, '-infinity')) AS running_since
FROM unnest(%(job_names)s::text[]) AS job (job_name)
LEFT JOIN LATERAL (
    SELECT started_at, max(finished_at) AS finished_at, sum(row_count)::float8 AS records,
           extract(epoch FROM max(finished_at) - started_at)::float8 AS seconds
    FROM computation_runs AS run
    WHERE run.job_name = job.job_name AND NOT backfill AND status = 'succeeded'
    GROUP BY started_at ORDER BY started_at DESC LIMIT 1) AS success ON true
LEFT JOIN LATERAL (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS seconds
    FROM (SELECT extract(epoch FROM max(finished_at) - started_at)::float8 AS seconds
          FROM computation_runs AS run
          WHERE run.job_name = job.job_name AND NOT backfill AND status = 'succeeded'
          GROUP BY started_at ORDER BY started_at DESC LIMIT %(limit)s) AS recent
    ) AS usual ON true
"""


@dataclass(frozen=True)
class JobState:
    """
    How a job's runs went, backfills aside.

    Attributes:
        job_name: Whose runs.
        succeeded_at: End of the last successful one; None before any.
        last_seconds: How long it took.
        last_records: Values that it gave.
        expected_seconds: Median of the last successful ones.
        consecutive_failures: Failed runs since the last successful one; a run and its retries are
            one, which has failed as soon as its first attempt has.
        consecutive_skips: Runs since then that were skipped because of what they depend on.
        running_since: Start of the one that runs; None if none does.
    """

    job_name: str
    succeeded_at: datetime | None
    last_seconds: float | None
    last_records: float | None
    expected_seconds: float | None
    consecutive_failures: int
    consecutive_skips: int
    running_since: datetime | None


def read_job_states(connection: Connection, job_names: Sequence[str]) -> list[JobState]:
    """Return the state of each job."""
    with connection.cursor(row_factory=class_row(JobState)) as cursor:
        return cursor.execute(
            _JOBS, {"job_names": list(job_names), "limit": _DURATIONS_LOOKED_AT}
        ).fetchall()
