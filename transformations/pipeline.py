"""One run of one feature version: read, check, transform, check, write."""

import uuid
from collections.abc import Sequence
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
from transformations.engine import PostgresEngine
from transformations.expressions import code_fingerprint, feature_expression
from transformations.quality import expectations, gate, profile
from transformations.source_tables import SCHEMAS
from transformations.values import stored_rows, typed_values

_log = structlog.get_logger()


def run(
    settings: Settings, feature: FeatureVersion, *, as_of: datetime | None = None
) -> runs.RunReport:
    """
    Compute a feature version, and publish its values if they pass the quality gate.

    The values go to PostgreSQL in one transaction and then to Redis. Whatever fails, the previous
    values stay, the attempt is on record, and a retry is safe.

    Args:
        settings: Where the stores are.
        feature: What to compute.
        as_of: Aware instant; None for now, which also demands fresh events.

    Raises:
        JobAlreadyRunning: Another process computes this version.
        QualityGateFailed: Inputs or outputs don't meet their expectations.
        StoreUnavailable: PostgreSQL or Redis can't be reached.
    """
    with connect(settings, autocommit=True) as connection, runs.job_lock(connection, feature):
        attempt = runs.Run(
            run_id=uuid.uuid4(),
            feature=feature,
            as_of=as_of or clock.now(),
            engine=PostgresEngine.name,
            code_fingerprint=code_fingerprint(feature),
            started_at=clock.now(),
        )
        runs.record_start(connection, attempt)
        try:
            report = _steps(settings, connection, attempt, demand_fresh_events=as_of is None)
        except BaseException as error:
            message = str(error) or type(error).__name__
            runs.record_failure(connection, attempt, finished_at=clock.now(), error=message)
            _log.warning("run_failed", feature=feature.reference, error=type(error).__name__)
            raise
        runs.record_success(
            connection, attempt, finished_at=clock.now(), online_row_count=report.online_row_count
        )
    return report


def _steps(
    settings: Settings, connection: Connection, attempt: runs.Run, *, demand_fresh_events: bool
) -> runs.RunReport:
    feature, as_of = attempt.feature, attempt.as_of
    seconds = _Stopwatch()
    max_age = settings.input_freshness_seconds if demand_fresh_events else None
    with PostgresEngine.open(settings) as engine:
        _check_inputs(connection, engine, attempt, max_age_seconds=max_age)
        seconds.lap("check inputs")
        values = typed_values(feature, engine.execute(feature_expression(feature, as_of=as_of)))
        seconds.lap("compute")
    _check_outputs(connection, attempt, values)
    seconds.lap("check outputs")
    rows = stored_rows(feature, values, as_of=as_of)
    written, in_history = _write_offline(connection, attempt, rows)
    seconds.lap("write offline")
    online = _write_online(settings, feature, rows)
    seconds.lap("write online")
    return runs.RunReport(
        feature=feature,
        as_of=as_of,
        row_count=values.num_rows,
        latest_row_count=written.latest,
        history_row_count=written.history if in_history else None,
        online_row_count=online,
        seconds=seconds.laps,
    )


def _check_inputs(
    connection: Connection,
    engine: PostgresEngine,
    attempt: runs.Run,
    *,
    max_age_seconds: float | None,
) -> None:
    as_of = attempt.as_of
    profiles = {
        name: profile.profile_record(engine.execute(profile.profile_expression(name, as_of=as_of)))
        for name in attempt.feature.source
    }
    runs.record_inputs(connection, attempt, profiles)
    checks: list[gate.Check] = []
    for name, record in profiles.items():
        required = [column for column, dtype in SCHEMAS[name].items() if not dtype.nullable]
        expected = expectations.input_expectations(
            required, max_age_seconds=max_age_seconds if name == "events" else None
        )
        checks += gate.hold(profile.profile_frame(record, as_of=as_of), expected, subject=name)
    _record_and_refuse(connection, attempt, checks)


def _check_outputs(connection: Connection, attempt: runs.Run, values: pa.Table) -> None:
    feature = attempt.feature
    entities, items = profile.value_frames(values, feature.feature_type)
    last_row_count = runs.last_good_row_count(connection, feature, as_of=attempt.as_of)
    expected = expectations.entity_expectations(feature, last_row_count=last_row_count)
    checks = gate.hold(entities, expected, subject=feature.reference)
    if items is not None:
        checks += gate.hold(
            items, expectations.item_expectations(feature), subject=feature.reference
        )
    _record_and_refuse(connection, attempt, checks)


def _record_and_refuse(
    connection: Connection, attempt: runs.Run, checks: Sequence[gate.Check]
) -> None:
    runs.record_checks(connection, attempt, [check.as_record() for check in checks])
    gate.refuse_failures(checks)


def _write_offline(
    connection: Connection, attempt: runs.Run, rows: pa.Table
) -> tuple[offline_values.WrittenRows, bool]:
    with connection.transaction():
        in_history = runs.belongs_to_history(connection, attempt.feature, attempt.as_of)
        written = offline_values.write_values(
            connection, attempt.feature, rows, as_of=attempt.as_of, append_history=in_history
        )
        runs.record_written(
            connection,
            attempt,
            row_count=rows.num_rows,
            latest=written.latest,
            history=written.history if in_history else None,
        )
    return written, in_history


def _write_online(settings: Settings, feature: FeatureVersion, rows: pa.Table) -> int:
    client = connect_redis(settings)
    try:
        return redis_values.write_values(client, feature, rows, now=clock.now())
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
