"""The record of every attempt to compute a feature version, and the lock that orders them."""

import contextlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.errors import JobAlreadyRunning
from foundation.postgres import Connection, advisory_lock
from transformations import past_runs
from transformations.engines.postgres import PostgresEngine
from transformations.expressions import code_fingerprint
from transformations.jobs import Job


@dataclass(frozen=True)
class Run:
    """
    One attempt of a job at an instant; it has a record for each of the job's feature versions.

    Attributes:
        job: What is computed.
        run_ids: Ids of the records, by reference.
        as_of: The instant that is computed.
        backfill: Whether the instant was chosen, instead of now.
        entity_scope: Whose values are published: `all`, or a digest of entity ids.
        window_start: When the last good run was, whose inputs had passed the gate; None before any.
        attempt: Number of the attempt. Starts at 1, and grows with each retry.
        engine: What executes the job.
        code_fingerprint: Of the job.
        started_at: When it started.
    """

    job: Job
    run_ids: Mapping[str, uuid.UUID]
    as_of: datetime
    backfill: bool
    entity_scope: str
    window_start: datetime | None
    attempt: int
    engine: str
    code_fingerprint: str
    started_at: datetime


@dataclass(frozen=True)
class RunReport:
    """
    What a successful run did for one feature version.

    Attributes:
        feature: What was computed.
        as_of: For which instant.
        row_count: Values computed.
        latest_row_count: Rows changed in feature_latest.
        history_row_count: Rows changed in feature_values; None if the run is not part of it.
        online_row_count: Values stored in Redis; it takes no stale ones.
        metrics: How good a fitted model is; empty for an expression.
        seconds: How long each step of the job took.
    """

    feature: FeatureVersion
    as_of: datetime
    row_count: int
    latest_row_count: int
    history_row_count: int | None
    online_row_count: int
    metrics: Mapping[str, float]
    seconds: Mapping[str, float]


def new_run(
    connection: Connection,
    job: Job,
    *,
    as_of: datetime | None,
    attempt: int = 1,
    engine: str = PostgresEngine.name,
    entity_scope: str = "all",
) -> Run:
    """Return a new attempt of a job for a chosen instant, or for now; it is not recorded yet."""
    instant = as_of or clock.now()
    last = past_runs.last_success(connection, job.leader, before=instant)
    return Run(
        job=job,
        run_ids={feature.reference: uuid.uuid4() for feature in job.features},
        as_of=instant,
        backfill=as_of is not None,
        entity_scope=entity_scope,
        window_start=None if last is None else last["as_of"],
        attempt=attempt,
        engine=engine,
        code_fingerprint=code_fingerprint(job),
        started_at=clock.now(),
    )


@contextlib.contextmanager
def job_lock(
    connection: Connection, job: Job, *, backfill_of: datetime | None = None
) -> Iterator[None]:
    """
    Hold a job's lock; it goes with the connection, even if that is killed.

    Args:
        connection: Outside a transaction.
        job: What is computed.
        backfill_of: The chosen instant; each has a lock of its own. None for now.

    Raises:
        JobAlreadyRunning: Somebody else holds it.
    """
    name = f"job:{job.name}"
    if backfill_of is not None:
        name += f"@{backfill_of.isoformat()}"
    with advisory_lock(connection, name) as is_held:
        if not is_held:
            raise JobAlreadyRunning(
                f"{job.name} is being computed by another process",
                hint="Wait for it; `python -m transformations runs` shows since when.",
            )
        yield


def record_start(connection: Connection, run: Run) -> None:
    """
    Record that a run started, and that those before it which never finished were cut off.

    The caller holds the lock under which they ran, so they can't be running any more.
    """
    with connection.transaction():
        connection.execute(
            """
            UPDATE computation_runs SET status = 'failed', finished_at = %s, error = 'interrupted'
            WHERE job_name = %s AND status = 'running' AND backfill = %s
              AND (NOT backfill OR as_of = %s)
            """,
            (run.started_at, run.job.name, run.backfill, run.as_of),
        )
        _insert(connection, run, status="running", error=None)


def record_skip(connection: Connection, run: Run, *, reason: str) -> None:
    """Record that a job was not even tried, and why."""
    with connection.transaction():
        _insert(connection, run, status="skipped", error=reason)


def record_inputs(
    connection: Connection, run: Run, profiles: Mapping[str, Mapping[str, Any]]
) -> None:
    """Record what the source tables held, by table."""
    connection.execute(
        "UPDATE computation_runs SET inputs = %s WHERE run_id = ANY(%s)",
        (Jsonb(profiles), list(run.run_ids.values())),
    )


def record_metrics(connection: Connection, run: Run, metrics: Mapping[str, float]) -> None:
    """Record how good a fitted model is."""
    connection.execute(
        "UPDATE computation_runs SET metrics = %s WHERE run_id = ANY(%s)",
        (Jsonb(metrics), list(run.run_ids.values())),
    )


def record_distribution(
    connection: Connection,
    run: Run,
    feature: FeatureVersion,
    distribution: Mapping[str, Any] | None,
) -> None:
    """Record how the values of a feature version are distributed."""
    connection.execute(
        "UPDATE computation_runs SET distribution = %s WHERE run_id = %s",
        (None if distribution is None else Jsonb(distribution), run.run_ids[feature.reference]),
    )


def record_checks(
    connection: Connection, run: Run, references: Sequence[str], checks: Sequence[Mapping[str, Any]]
) -> None:
    """Add what the quality gate found for feature versions, one entry an expectation."""
    connection.execute(
        "UPDATE computation_runs SET checks = checks || %s WHERE run_id = ANY(%s)",
        (Jsonb(checks), [run.run_ids[reference] for reference in references]),
    )


def record_written(
    connection: Connection,
    run: Run,
    feature: FeatureVersion,
    *,
    row_count: int,
    latest: int,
    history: int | None,
    checksum: str,
) -> None:
    """
    Record what a run wrote for a feature version, in the transaction that wrote it.

    Args:
        connection: Its transaction holds the values.
        run: Who wrote.
        feature: What was written.
        row_count: Values computed.
        latest: Rows changed in feature_latest.
        history: Rows changed in feature_values; None if the run is not part of the history.
        checksum: Digest of the values; equal values, equal digest.
    """
    connection.execute(
        """
        UPDATE computation_runs
        SET row_count = %s, latest_row_count = %s, history_row_count = %s, checksum = %s
        WHERE run_id = %s
        """,
        (row_count, latest, history, checksum, run.run_ids[feature.reference]),
    )


def record_success(
    connection: Connection,
    run: Run,
    *,
    finished_at: datetime,
    online_row_counts: Mapping[str, int],
) -> None:
    """Record that a run succeeded, and how many values Redis took, by reference."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            """
            UPDATE computation_runs
            SET status = 'succeeded', finished_at = %s, online_row_count = %s WHERE run_id = %s
            """,
            [
                (finished_at, online_row_counts[reference], run_id)
                for reference, run_id in run.run_ids.items()
            ],
        )


def record_failure(connection: Connection, run: Run, *, finished_at: datetime, error: str) -> None:
    """Record that a run failed, and why."""
    connection.execute(
        """
        UPDATE computation_runs SET status = 'failed', finished_at = %s, error = %s
        WHERE run_id = ANY(%s)
        """,
        (finished_at, error, list(run.run_ids.values())),
    )


def _insert(connection: Connection, run: Run, *, status: str, error: str | None) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO computation_runs
                (run_id, job_name, feature_name, version, engine, as_of, backfill, entity_scope,
                 window_start, attempt, started_at, finished_at, status, code_fingerprint, error)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    run.run_ids[feature.reference],
                    run.job.name,
                    feature.feature_name,
                    feature.version,
                    run.engine,
                    run.as_of,
                    run.backfill,
                    run.entity_scope,
                    run.window_start,
                    run.attempt,
                    run.started_at,
                    run.started_at if status == "skipped" else None,
                    status,
                    run.code_fingerprint,
                    error,
                )
                for feature in run.job.features
            ],
        )
