"""Run records, written down as the pipeline does."""

import uuid
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from foundation.postgres import Connection

PASSED = {"check_type": "range", "success": True}
FAILED = {"check_type": "range", "success": False}


def insert_run(
    connection: Connection,
    feature_name: str,
    *,
    started_at: datetime,
    status: str = "succeeded",
    version: str = "1.0.0",
    job: str | None = None,
    as_of: datetime | None = None,
    seconds: float = 4.0,
    rows: int | None = 10,
    backfill: bool = False,
    entity_scope: str = "all",
    checks: tuple[dict[str, object], ...] = (),
    attempt: int = 1,
) -> None:
    """Insert the record of one feature version's run."""
    connection.execute(
        """
        INSERT INTO computation_runs
            (run_id, job_name, feature_name, version, engine, as_of, started_at, finished_at,
             status, code_fingerprint, row_count, backfill, entity_scope, checks, attempt)
        VALUES (%s, %s, %s, %s, 'postgres', %s, %s, %s, %s, '', %s, %s, %s, %s, %s)
        """,
        (
            uuid.uuid4(),
            f"{job or feature_name}=={version}",
            feature_name,
            version,
            as_of or started_at,
            started_at,
            None if status == "running" else started_at + timedelta(seconds=seconds),
            status,
            rows if status == "succeeded" else None,
            backfill,
            entity_scope,
            Jsonb(list(checks)),
            attempt,
        ),
    )
    connection.commit()
