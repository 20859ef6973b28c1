"""One run of one job: read, check, transform, check, write."""

import hashlib
import uuid
from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa
import structlog

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores import offline_values, redis_values
from foundation import clock
from foundation.postgres import Connection, connect
from foundation.redis import connect as connect_redis
from foundation.settings import Settings
from transformations import runs
from transformations.computing import Computed, compute
from transformations.engines import Engine
from transformations.engines.postgres import PostgresEngine
from transformations.expressions import code_fingerprint, dependency_queries
from transformations.jobs import Job
from transformations.quality import expectations, gate, profile
from transformations.source_tables import SCHEMAS
from transformations.values import stored_rows

_log = structlog.get_logger()


def run(settings: Settings, job: Job, *, as_of: datetime | None = None) -> list[runs.RunReport]:
    """
    Compute a job, and publish the values of its feature versions if they pass the quality gate.

    The values go to PostgreSQL in one transaction and then to Redis. Whatever fails, the previous
    values stay, the attempt is on record, and a retry is safe.

    Args:
        settings: Where the stores are.
        job: What to compute.
        as_of: Aware instant; None for now, which also demands fresh events.

    Returns:
        What was done, one report a feature version.

    Raises:
        JobAlreadyRunning: Another process computes this job.
        QualityGateFailed: Inputs or outputs don't meet their expectations.
        StoreUnavailable: PostgreSQL or Redis can't be reached.
    """
    with connect(settings, autocommit=True) as connection, runs.job_lock(connection, job):
        attempt = runs.Run(
            job=job,
            run_ids={feature.reference: uuid.uuid4() for feature in job.features},
            as_of=as_of or clock.now(),
            window_start=None,
            attempt=1,
            engine=PostgresEngine.name,
            code_fingerprint=code_fingerprint(job),
            started_at=clock.now(),
        )
        runs.record_start(connection, attempt)
        try:
            reports = _steps(settings, connection, attempt, demand_fresh_events=as_of is None)
        except BaseException as error:
            message = str(error) or type(error).__name__
            runs.record_failure(connection, attempt, finished_at=clock.now(), error=message)
            _log.warning("run_failed", job=job.name, error=type(error).__name__)
            raise
        runs.record_success(
            connection,
            attempt,
            finished_at=clock.now(),
            online_row_counts={r.feature.reference: r.online_row_count for r in reports},
        )
    return reports


def _steps(
    settings: Settings, connection: Connection, attempt: runs.Run, *, demand_fresh_events: bool
) -> list[runs.RunReport]:
    job, as_of = attempt.job, attempt.as_of
    seconds = _Stopwatch()
    max_age = settings.input_freshness_seconds if demand_fresh_events else None
    with PostgresEngine.open(settings, dependency_queries(job, as_of=as_of)) as engine:
        _check_inputs(connection, engine, attempt, max_age_seconds=max_age)
        seconds.lap("check inputs")
        computed = compute(engine, job, as_of=as_of)
        seconds.lap("compute")
    _check_outputs(connection, attempt, computed)
    seconds.lap("check outputs")
    rows = {
        feature.reference: stored_rows(feature, computed.values[feature.reference], as_of=as_of)
        for feature in job.features
    }
    written = _write_offline(connection, attempt, rows)
    seconds.lap("write offline")
    online = _write_online(settings, job, rows)
    seconds.lap("write online")
    return [
        runs.RunReport(
            feature=feature,
            as_of=as_of,
            row_count=rows[feature.reference].num_rows,
            latest_row_count=written[feature.reference].latest,
            history_row_count=written[feature.reference].history,
            online_row_count=online[feature.reference],
            metrics=computed.metrics,
            seconds=seconds.laps,
        )
        for feature in job.features
    ]


def _check_inputs(
    connection: Connection, engine: Engine, attempt: runs.Run, *, max_age_seconds: float | None
) -> None:
    as_of = attempt.as_of
    profiles = {
        name: profile.profile_record(engine.execute(profile.profile_expression(name, as_of=as_of)))
        for name in attempt.job.leader.source
    }
    runs.record_inputs(connection, attempt, profiles)
    checks: list[gate.Check] = []
    for name, record in profiles.items():
        required = [column for column, dtype in SCHEMAS[name].items() if not dtype.nullable]
        expected = expectations.input_expectations(
            required, max_age_seconds=max_age_seconds if name == "events" else None
        )
        checks += gate.hold(profile.profile_frame(record, as_of=as_of), expected, subject=name)
    runs.record_checks(connection, attempt, list(attempt.run_ids), [c.as_record() for c in checks])
    gate.refuse_failures(checks)


def _check_outputs(connection: Connection, attempt: runs.Run, computed: Computed) -> None:
    runs.record_metrics(connection, attempt, computed.metrics)
    found: list[gate.Check] = []
    for feature in attempt.job.features:
        values = computed.values[feature.reference]
        entities, items = profile.value_frames(values, feature.feature_type)
        last = runs.last_success(connection, feature, before=attempt.as_of)
        expected = expectations.entity_expectations(
            feature, last_row_count=None if last is None else last["row_count"]
        )
        checks = gate.hold(entities, expected, subject=feature.reference)
        if items is not None:
            checks += gate.hold(
                items, expectations.item_expectations(feature), subject=feature.reference
            )
        runs.record_checks(
            connection, attempt, [feature.reference], [check.as_record() for check in checks]
        )
        found += checks
    gate.refuse_failures(found)


def _write_offline(
    connection: Connection, attempt: runs.Run, rows: Mapping[str, pa.Table]
) -> dict[str, offline_values.WrittenRows]:
    with connection.transaction():
        return {
            feature.reference: _write_version(connection, attempt, feature, rows[feature.reference])
            for feature in attempt.job.features
        }


def _write_version(
    connection: Connection, attempt: runs.Run, feature: FeatureVersion, rows: pa.Table
) -> offline_values.WrittenRows:
    written = offline_values.write_values(
        connection,
        feature,
        rows,
        as_of=attempt.as_of,
        append_history=runs.belongs_to_history(connection, feature, attempt.as_of),
    )
    runs.record_written(
        connection,
        attempt,
        feature,
        row_count=rows.num_rows,
        latest=written.latest,
        history=written.history,
        checksum=_checksum(rows),
    )
    return written


def _checksum(rows: pa.Table) -> str:
    ordered = rows.select(["entity_id", "feature_value"]).sort_by("entity_id").combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ordered.schema) as stream:
        stream.write_table(ordered)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _write_online(settings: Settings, job: Job, rows: Mapping[str, pa.Table]) -> dict[str, int]:
    client = connect_redis(settings)
    try:
        return {
            feature.reference: redis_values.write_values(
                client, feature, rows[feature.reference], now=clock.now()
            )
            for feature in job.features
        }
    finally:
        client.close()


class _Stopwatch:
    """Measures the steps of a run, one after the other."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = clock.now()

    def lap(self, step: str) -> None:
        """Attribute the time since the last lap to a step."""
        now = clock.now()
        self.laps[step] = (now - self._last).total_seconds()
        self._last = now
