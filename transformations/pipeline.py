"""One run of one job: read, check, transform, check, write."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import structlog

from foundation import clock
from foundation.errors import StoredButNotOnline, StoreUnavailable
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from foundation.tracing import span
from transformations import incremental, past_runs, publishing, runs
from transformations.archives.thawing import hold_dropped
from transformations.computing import Computed, compute
from transformations.embedding.process import open_embedder
from transformations.engines import Engine
from transformations.engines.postgres import PostgresEngine
from transformations.engines.selection import open_engine
from transformations.engines.sources import Sources
from transformations.expressions import dependency_queries, job_expression
from transformations.jobs import Job
from transformations.lineage_events import reporting
from transformations.quality.distribution import Distribution
from transformations.quality.gate import Check, Gate, refuse_failures
from transformations.quality.inputs import InputLimits, check_inputs
from transformations.quality.model_quality import metric_expectations, metric_frame
from transformations.quality.outputs import check_outputs
from transformations.steps import Steps
from transformations.values import stored_rows

_log = structlog.get_logger()

_PAST_RUNS = 10
_NO_FILES = Sources()


@dataclass(frozen=True)
class Options:
    """
    How a job is run.

    Attributes:
        attempt: Number of the attempt. Starts at 1, and grows with each retry.
        engine: postgres, duckdb or spark.
        sources: Where the files are that duckdb and spark read.
        accept_change: Hold inputs and outputs against what is declared only, not against past runs;
            for changes that are known of.
        rebuild: Add up an incremental state anew.
        entity_ids: Publish values of these entities only; None: of all.
        entity_scope: What the run record says of them.
        append_history: Whether the values go to the history; None: once in each history interval.
        data_docs: Folder for Great Expectations' pages of what the gate found; None: none.
    """

    attempt: int = 1
    engine: str = PostgresEngine.name
    sources: Sources = _NO_FILES
    accept_change: bool = False
    rebuild: bool = False
    entity_ids: pa.Array | None = None
    entity_scope: str = "all"
    append_history: bool | None = None
    data_docs: Path | None = None


_ORDINARY = Options()


def run(
    settings: Settings, job: Job, *, as_of: datetime | None = None, options: Options = _ORDINARY
) -> list[runs.RunReport]:
    """
    Compute a job, and publish the values of its feature versions if they pass the quality gate.

    The values go to PostgreSQL in one transaction and then to Redis. Whatever fails, the previous
    values stay, the attempt is on record, and a retry is safe.

    Args:
        settings: Where the stores are.
        job: What to compute.
        as_of: Aware instant; None for now, which also demands fresh events.
        options: How to run it.

    Returns:
        What was done, one report a feature version.

    Raises:
        JobAlreadyRunning: Another process computes this job.
        QualityGateFailed: Inputs or outputs don't meet their expectations.
        StoreUnavailable: PostgreSQL or Redis can't be reached; `StoredButNotOnline` if it is Redis.
    """
    with (
        span(
            "run", {"feature_store.job": job.name, "feature_store.attempt": options.attempt}
        ) as traced_run,
        connect(settings, autocommit=True) as connection,
        runs.job_lock(connection, job, backfill_of=as_of),
    ):
        attempt = runs.new_run(
            connection,
            job,
            as_of=as_of,
            attempt=options.attempt,
            engine=options.engine,
            entity_scope=options.entity_scope,
        )
        runs.record_start(connection, attempt)
        traced_run.note(
            lambda: {
                "feature_store.as_of": attempt.as_of.isoformat(),
                "feature_store.engine": options.engine,
            }
        )
        try:
            with reporting(attempt, connection, options.sources) as row_counts:
                reports = _steps(settings, connection, attempt, options)
                row_counts |= {r.feature.reference: r.row_count for r in reports}
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
        traced_run.note(lambda: {"feature_store.rows": sum(r.row_count for r in reports)})
    return reports


def _steps(
    settings: Settings, connection: Connection, attempt: runs.Run, options: Options
) -> list[runs.RunReport]:
    steps = Steps()
    computed = _gated(settings, connection, attempt, options, steps)
    return _published(settings, connection, attempt, options, steps, computed)


def _gated(
    settings: Settings,
    connection: Connection,
    attempt: runs.Run,
    options: Options,
    steps: Steps,
) -> Computed:
    gate = Gate()
    try:
        with steps.step("check inputs"):
            _check_inputs(settings, connection, gate, attempt, options)
        with steps.step("compute"):
            computed = _compute(settings, connection, attempt, options)
        with steps.step("check outputs"):
            _check_outputs(connection, gate, attempt, computed, options)
    finally:
        if options.data_docs is not None:
            gate.write_data_docs(options.data_docs / attempt.job.name.replace("==", "-"))
    return computed


def _published(
    settings: Settings,
    connection: Connection,
    attempt: runs.Run,
    options: Options,
    steps: Steps,
    computed: Computed,
) -> list[runs.RunReport]:
    job, chosen = attempt.job, options.entity_ids
    rows = {
        feature.reference: stored_rows(
            feature, computed.values[feature.reference], as_of=attempt.as_of
        )
        for feature in job.features
    }
    with steps.step("write offline"):
        written = publishing.write_offline(
            connection, attempt, rows, entity_ids=chosen, append_history=options.append_history
        )
    with steps.step("write online"):
        try:
            online = publishing.write_online(settings, job, rows, entity_ids=chosen)
        except StoreUnavailable as error:
            raise StoredButNotOnline(error.message, hint=error.hint) from error
    return [
        runs.RunReport(
            feature=feature,
            as_of=attempt.as_of,
            row_count=rows[feature.reference].num_rows,
            latest_row_count=written[feature.reference].latest,
            history_row_count=written[feature.reference].history,
            online_row_count=online[feature.reference],
            metrics=computed.metrics,
            seconds=steps.seconds,
        )
        for feature in job.features
    ]


def _check_inputs(
    settings: Settings, connection: Connection, gate: Gate, attempt: runs.Run, options: Options
) -> None:
    job, as_of, now = attempt.job, attempt.as_of, clock.now()
    past = past_runs.recent_inputs(connection, job, before=as_of, limit=_PAST_RUNS)
    late = timedelta(seconds=settings.late_events_seconds)
    limits = InputLimits(
        since=None if attempt.window_start is None else attempt.window_start - late,
        as_of=as_of,
        until=now + timedelta(seconds=settings.clock_skew_seconds),
        max_age_seconds=None if attempt.backfill else settings.input_freshness_seconds,
        past=() if options.accept_change else past,
    )
    with _open_engine(settings, attempt, options) as engine:
        profiles, checks = check_inputs(gate, engine, job, limits)
    runs.record_inputs(connection, attempt, profiles)
    _record(connection, attempt, [feature.reference for feature in job.features], checks)
    refuse_failures(checks)


def _compute(
    settings: Settings, connection: Connection, attempt: runs.Run, options: Options
) -> Computed:
    job, as_of = attempt.job, attempt.as_of
    state = None
    on_postgres = options.engine == PostgresEngine.name
    if on_postgres and incremental.is_incremental(job) and not attempt.backfill:
        if options.rebuild:
            incremental.forget(connection, job)
        state = incremental.advance(settings, connection, job, as_of=as_of)
    expression = (
        job_expression(job, as_of=as_of)
        if state is None
        else incremental.incremental_expression(job, state, as_of=as_of)
    )
    with _open_engine(settings, attempt, options) as engine:
        extracted = engine.execute(expression)
    with open_embedder(settings) as embed:
        return compute(job, extracted, as_of=as_of, embed=embed)


@contextlib.contextmanager
def _open_engine(settings: Settings, attempt: runs.Run, options: Options) -> Iterator[Engine]:
    """Open the engine over what was known at the instant, whether PostgreSQL has it still."""
    job, as_of = attempt.job, attempt.as_of
    with hold_dropped(settings, job.dependencies, as_of=as_of) as tables:
        queries = dependency_queries(job, as_of=as_of, dropped=tables)
        with open_engine(settings, options.engine, options.sources, queries, tables) as engine:
            yield engine


def _check_outputs(
    connection: Connection, gate: Gate, attempt: runs.Run, computed: Computed, options: Options
) -> None:
    runs.record_metrics(connection, attempt, computed.metrics)
    found: list[Check] = []
    for feature in attempt.job.features:
        last = past_runs.last_success(connection, feature, before=attempt.as_of)
        last = None if options.accept_change else last
        # What is older than the look-back is not known any more: time alone may have changed it.
        recent = last is not None and attempt.as_of - last["as_of"] <= feature.look_back
        distribution, checks = check_outputs(
            gate,
            feature,
            computed.values[feature.reference],
            last_row_count=None if last is None else last["row_count"],
            last_distribution=Distribution.from_record(last["distribution"])
            if last is not None and recent
            else None,
        )
        record = None if distribution is None else distribution.as_record()
        runs.record_distribution(connection, attempt, feature, record)
        _record(connection, attempt, [feature.reference], checks)
        found += checks
    refuse_failures(found + _check_model(connection, gate, attempt, computed, options))


def _check_model(
    connection: Connection, gate: Gate, attempt: runs.Run, computed: Computed, options: Options
) -> list[Check]:
    job = attempt.job
    ratios = job.leader.expectations.min_metric_ratios
    if not ratios:
        return []
    last = past_runs.last_success(connection, job.leader, before=attempt.as_of)
    last_metrics = {} if last is None or options.accept_change else last["metrics"]
    checks = gate.hold(
        metric_frame(computed.metrics, ratios=ratios),
        metric_expectations(ratios=ratios, last_metrics=last_metrics),
        subject=job.name,
    )
    _record(connection, attempt, [feature.reference for feature in job.features], checks)
    return checks


def _record(
    connection: Connection, attempt: runs.Run, references: list[str], checks: list[Check]
) -> None:
    runs.record_checks(connection, attempt, references, [check.as_record() for check in checks])
