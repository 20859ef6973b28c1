"""What the records of runs tell: how jobs went, when, on what inputs."""

from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import dict_row

from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection
from transformations.jobs import Job


def belongs_to_history(connection: Connection, feature: FeatureVersion, as_of: datetime) -> bool:
    """
    Tell whether a run at `as_of` is the first of its history interval.

    Intervals count from midnight UTC of 1970-01-01. A run at an instant that is in the history
    belongs to it again, so that a re-run can correct it. Runs of chosen entities don't count: the
    others would lack a value.
    """
    interval_seconds = feature.history_interval.total_seconds()
    interval_start = as_of.timestamp() // interval_seconds * interval_seconds
    row = connection.execute(
        """
        SELECT 1 FROM computation_runs
        WHERE feature_name = %s AND version = %s AND history_row_count IS NOT NULL
          AND entity_scope = 'all' AND as_of >= to_timestamp(%s) AND as_of < %s
        LIMIT 1
        """,
        (feature.feature_name, feature.version, interval_start, as_of),
    ).fetchone()
    return row is None


def last_success(
    connection: Connection, feature: FeatureVersion, *, before: datetime
) -> dict[str, Any] | None:
    """Return the record of the successful run last before an instant; None before the first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT * FROM computation_runs
            WHERE feature_name = %s AND version = %s AND status = 'succeeded' AND as_of < %s
            ORDER BY as_of DESC, started_at DESC LIMIT 1
            """,
            (feature.feature_name, feature.version, before),
        ).fetchone()


def recent_inputs(
    connection: Connection, job: Job, *, before: datetime, limit: int
) -> list[dict[str, Any]]:
    """Return what the source tables held at the latest successful runs before an instant."""
    rows = connection.execute(
        """
        SELECT inputs FROM computation_runs
        WHERE feature_name = %s AND version = %s AND status = 'succeeded' AND as_of < %s
        ORDER BY as_of DESC, started_at DESC LIMIT %s
        """,
        (job.leader.feature_name, job.leader.version, before, limit),
    ).fetchall()
    return [inputs for (inputs,) in rows]


def recent_durations(connection: Connection, *, limit: int) -> dict[str, list[timedelta]]:
    """Return how long the latest successful runs of each job took, newest first, by job name."""
    rows = connection.execute(
        """
        SELECT job_name, duration FROM (
            SELECT job_name, finished_at - started_at AS duration, started_at,
                   row_number() OVER (PARTITION BY job_name ORDER BY started_at DESC) AS place
            FROM (SELECT DISTINCT job_name, started_at, finished_at FROM computation_runs
                  WHERE status = 'succeeded') AS succeeded) AS ordered
        WHERE place <= %s ORDER BY job_name, started_at DESC
        """,
        (limit,),
    ).fetchall()
    durations: dict[str, list[timedelta]] = {}
    for job_name, duration in rows:
        durations.setdefault(job_name, []).append(duration)
    return durations


def last_instants(connection: Connection) -> dict[str, datetime]:
    """Return for which instant each job last succeeded, backfills aside, by job name."""
    rows = connection.execute(
        """
        SELECT job_name, max(as_of) FROM computation_runs
        WHERE status = 'succeeded' AND NOT backfill GROUP BY job_name
        """
    ).fetchall()
    return dict(rows)


def computed_instants(
    connection: Connection, job: Job, *, code_fingerprint: str, entity_scope: str
) -> set[datetime]:
    """Return the instants for which a job has been computed by the same code, for the history."""
    rows = connection.execute(
        """
        SELECT as_of FROM computation_runs
        WHERE job_name = %s AND code_fingerprint = %s AND entity_scope = %s
          AND status = 'succeeded' AND history_row_count IS NOT NULL
        """,
        (job.name, code_fingerprint, entity_scope),
    ).fetchall()
    return {as_of for (as_of,) in rows}


def has_stored(connection: Connection, feature: FeatureVersion) -> bool:
    """
    Tell whether a feature version's last run has put its values into PostgreSQL.

    Backfills count for nothing; before the first run nothing is held against it.
    """
    row = connection.execute(
        """
        SELECT status = 'succeeded' OR latest_row_count IS NOT NULL FROM computation_runs
        WHERE feature_name = %s AND version = %s AND NOT backfill AND status <> 'running'
        ORDER BY started_at DESC LIMIT 1
        """,
        (feature.feature_name, feature.version),
    ).fetchone()
    return row is None or bool(row[0])


def last_records(
    connection: Connection, job: Job, *, backfill_of: datetime | None = None
) -> list[dict[str, Any]]:
    """
    Return the records of a job's last run, one a feature version.

    Args:
        connection: To PostgreSQL.
        job: Whose run it was.
        backfill_of: The chosen instant; None for the runs of now.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            WITH of_job AS (
                SELECT * FROM computation_runs
                WHERE job_name = %(job_name)s AND backfill = (%(instant)s::timestamptz IS NOT NULL)
                  AND as_of = coalesce(%(instant)s::timestamptz, as_of))
            SELECT * FROM of_job WHERE started_at = (SELECT max(started_at) FROM of_job)
            """,
            {"job_name": job.name, "instant": backfill_of},
        ).fetchall()


def recent_runs(
    connection: Connection, *, of: str | None, limit: int, failed_only: bool
) -> list[dict[str, Any]]:
    """
    Return the latest runs, newest first, as dictionaries of the table's columns.

    Args:
        connection: To PostgreSQL.
        of: A feature's name, a version's reference or a job's name; None: of all.
        limit: How many.
        failed_only: Leave out all others.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT * FROM computation_runs
            WHERE (%(of)s::text IS NULL
                   OR %(of)s IN (feature_name, feature_name || '==' || version, job_name))
              AND (NOT %(failed_only)s OR status = 'failed')
            ORDER BY started_at DESC, feature_name LIMIT %(limit)s
            """,
            {"of": of, "limit": limit, "failed_only": failed_only},
        ).fetchall()
