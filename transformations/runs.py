"""The record of every attempt to compute a feature version, and the lock that orders them."""

import contextlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import JobAlreadyRunning
from foundation.postgres import Connection


@dataclass(frozen=True)
class Run:
    """One attempt to compute a feature version at an instant."""

    run_id: uuid.UUID
    feature: FeatureVersion
    as_of: datetime
    engine: str
    code_fingerprint: str
    started_at: datetime


@dataclass(frozen=True)
class RunReport:
    """
    What a successful run did.

    Attributes:
        feature: What was computed.
        as_of: For which instant.
        row_count: Values computed.
        latest_row_count: Rows changed in feature_latest.
        history_row_count: Rows changed in feature_values; None if the run is not part of it.
        online_row_count: Values stored in Redis; it takes no stale ones.
        seconds: How long each step took.
    """

    feature: FeatureVersion
    as_of: datetime
    row_count: int
    latest_row_count: int
    history_row_count: int | None
    online_row_count: int
    seconds: dict[str, float]


@contextlib.contextmanager
def job_lock(connection: Connection, feature: FeatureVersion) -> Iterator[None]:
    """
    Hold the lock of a feature version's job; it goes with the connection, even if that is killed.

    Raises:
        JobAlreadyRunning: Somebody else holds it.
    """
    name = f"job:{feature.reference}"
    row = connection.execute(
        "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)
    ).fetchone()
    if row is None or not row[0]:
        raise JobAlreadyRunning(
            f"{feature.reference} is being computed by another process",
            hint="Wait for it; `python -m transformations runs` shows since when.",
        )
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (name,))


def record_start(connection: Connection, run: Run) -> None:
    """Record that a run started, and that runs of its version which never finished were cut off."""
    connection.execute(
        """
        UPDATE computation_runs SET status = 'failed', finished_at = %s, error = 'interrupted'
        WHERE feature_name = %s AND version = %s AND status = 'running'
        """,
        (run.started_at, run.feature.feature_name, run.feature.version),
    )
    connection.execute(
        """
        INSERT INTO computation_runs
            (run_id, feature_name, version, engine, as_of, started_at, status, code_fingerprint)
        VALUES (%s, %s, %s, %s, %s, %s, 'running', %s)
        """,
        (
            run.run_id,
            run.feature.feature_name,
            run.feature.version,
            run.engine,
            run.as_of,
            run.started_at,
            run.code_fingerprint,
        ),
    )


def record_inputs(
    connection: Connection, run: Run, profiles: Mapping[str, Mapping[str, Any]]
) -> None:
    """Record what the source tables held, by table."""
    connection.execute(
        "UPDATE computation_runs SET inputs = %s WHERE run_id = %s", (Jsonb(profiles), run.run_id)
    )


def record_checks(connection: Connection, run: Run, checks: Sequence[Mapping[str, Any]]) -> None:
    """Add what the quality gate found, one entry an expectation."""
    connection.execute(
        "UPDATE computation_runs SET checks = checks || %s WHERE run_id = %s",
        (Jsonb(checks), run.run_id),
    )


def record_written(
    connection: Connection, run: Run, *, row_count: int, latest: int, history: int | None
) -> None:
    """
    Record what a run wrote, in the transaction that wrote it.

    Args:
        connection: Its transaction holds the values.
        run: Who wrote.
        row_count: Values computed.
        latest: Rows changed in feature_latest.
        history: Rows changed in feature_values; None if the run is not part of the history.
    """
    connection.execute(
        """
        UPDATE computation_runs
        SET row_count = %s, latest_row_count = %s, history_row_count = %s WHERE run_id = %s
        """,
        (row_count, latest, history, run.run_id),
    )


def record_success(
    connection: Connection, run: Run, *, finished_at: datetime, online_row_count: int
) -> None:
    """Record that a run succeeded, and how many values Redis took; it takes no stale ones."""
    connection.execute(
        """
        UPDATE computation_runs
        SET status = 'succeeded', finished_at = %s, online_row_count = %s WHERE run_id = %s
        """,
        (finished_at, online_row_count, run.run_id),
    )


def record_failure(connection: Connection, run: Run, *, finished_at: datetime, error: str) -> None:
    """Record that a run failed, and why."""
    connection.execute(
        """
        UPDATE computation_runs SET status = 'failed', finished_at = %s, error = %s
        WHERE run_id = %s
        """,
        (finished_at, error, run.run_id),
    )


def belongs_to_history(connection: Connection, feature: FeatureVersion, as_of: datetime) -> bool:
    """
    Tell whether a run at `as_of` is the first of its history interval.

    Intervals count from midnight UTC of 1970-01-01. A run at an instant that is in the history
    belongs to it again, so that a re-run can correct it.
    """
    interval_seconds = feature.history_interval.total_seconds()
    interval_start = as_of.timestamp() // interval_seconds * interval_seconds
    row = connection.execute(
        """
        SELECT 1 FROM computation_runs
        WHERE feature_name = %s AND version = %s AND history_row_count IS NOT NULL
          AND as_of >= to_timestamp(%s) AND as_of < %s
        LIMIT 1
        """,
        (feature.feature_name, feature.version, interval_start, as_of),
    ).fetchone()
    return row is None


def last_good_row_count(
    connection: Connection, feature: FeatureVersion, *, as_of: datetime
) -> int | None:
    """Return how many values the successful run last before `as_of` computed; None before any."""
    row = connection.execute(
        """
        SELECT row_count FROM computation_runs
        WHERE feature_name = %s AND version = %s AND status = 'succeeded' AND as_of < %s
        ORDER BY as_of DESC, started_at DESC LIMIT 1
        """,
        (feature.feature_name, feature.version, as_of),
    ).fetchone()
    return None if row is None else int(row[0])


def recent_runs(
    connection: Connection, *, feature_name: str | None, limit: int, failed_only: bool
) -> list[dict[str, Any]]:
    """Return the latest runs, newest first, as dictionaries of the table's columns."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT * FROM computation_runs
            WHERE (%(feature_name)s::text IS NULL OR feature_name = %(feature_name)s)
              AND (NOT %(failed_only)s OR status = 'failed')
            ORDER BY started_at DESC LIMIT %(limit)s
            """,
            {"feature_name": feature_name, "limit": limit, "failed_only": failed_only},
        ).fetchall()
