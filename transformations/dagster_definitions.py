"""
Dagster's view of the jobs: `dagster dev -m transformations.dagster_definitions`.

Generated from the registry when Dagster loads it. Each feature version is an asset, downstream of
its source tables and dependencies; each feature service is downstream of what it reads. Partitions
are history intervals: materializing one computes the values as of its end. Schedules compute the
values of now, into the partition that is running; jobs that depend on each other have one schedule,
and what fails is retried and skipped as by `python -m transformations schedule`. Each kind of
quality check is an asset check.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.postgres import connect
from foundation.settings import Settings, load_settings
from transformations import past_runs, pipeline
from transformations.drift.after_run import measure_after_run
from transformations.expressions import computation_module
from transformations.jobs import Job
from transformations.orchestration import (
    Ending,
    Outcome,
    follow,
    run_job,
    skip,
    unsound_dependencies,
)
from transformations.selection import scheduled_jobs
from transformations.source_tables import SCHEMAS
from transformations.timetable import Wave, waves_of

_PARTITIONS_START = datetime(2026, 1, 1, tzinfo=UTC)
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_CHECK_TYPES = (
    "dependency",
    "schema",
    "volume",
    "completeness",
    "clock_skew",
    "freshness",
    "anomaly",
    "row_count",
    "null_key",
    "duplicate_key",
    "null",
    "range",
    "vector_length",
    "distribution",
    "model_quality",
)


class RunConfig(dg.Config):
    """How an asset is materialized: of now, which demands fresh events, or of its partition."""

    now: bool = False


def build_definitions(catalog: Catalog) -> dg.Definitions:
    """Return the assets, checks, jobs and schedules of what is deployed."""
    jobs = scheduled_jobs(catalog)
    assets: list[dg.AssetsDefinition] = []
    asset_jobs, schedules = [], []
    for wave in waves_of(jobs):
        of_wave = [_job_assets(job, _partitions(wave)) for job in wave.jobs]
        name = "__".join(map(_identifier, wave.jobs))
        asset_job = dg.define_asset_job(f"{name}_job", selection=dg.AssetSelection.assets(*of_wave))
        assets += of_wave
        asset_jobs.append(asset_job)
        schedules.append(_schedule(name, wave, asset_job))
    return dg.Definitions(
        assets=[*_source_assets(), *assets, *_service_assets(catalog, jobs)],
        jobs=asset_jobs,
        schedules=schedules,
    )


@dg.definitions
def definitions() -> dg.Definitions:
    """Read the registry; Dagster calls this when it loads the module."""
    return build_definitions(read_catalog())


def _asset_key(feature: FeatureVersion) -> dg.AssetKey:
    return dg.AssetKey(
        [feature.feature_name, feature.view_name.removeprefix(feature.feature_name + "_")]
    )


def _source_assets() -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(dg.AssetKey(name), group_name="sources", description="A source table.")
        for name in SCHEMAS
    ]


def _service_assets(catalog: Catalog, jobs: Sequence[Job]) -> list[dg.AssetSpec]:
    keys = {feature.reference: _asset_key(feature) for job in jobs for feature in job.features}
    return [
        dg.AssetSpec(
            dg.AssetKey(["feature_service", name]),
            deps=[keys[reference] for reference in references if reference in keys],
            group_name="feature_services",
        )
        for name, references in catalog.services.items()
    ]


def _job_assets(job: Job, partitions: dg.TimeWindowPartitionsDefinition) -> dg.AssetsDefinition:
    upstream = [
        *(dg.AssetKey(name) for name in job.leader.source),
        *(_asset_key(known) for known in job.dependencies),
    ]
    specs = [
        dg.AssetSpec(
            _asset_key(feature),
            deps=upstream,
            description=feature.description,
            owners=[f"team:{feature.owner}"],
            group_name=feature.entity,
            code_version=feature.version,
            metadata={"computation": computation_module(feature).__name__},
        )
        for feature in job.features
    ]
    checks = [
        dg.AssetCheckSpec(name=check_type, asset=_asset_key(feature))
        for feature in job.features
        for check_type in _CHECK_TYPES
    ]

    @dg.multi_asset(
        name=_identifier(job),
        specs=specs,
        check_specs=checks,
        partitions_def=partitions,
        can_subset=False,
    )
    def compute(context: dg.AssetExecutionContext, config: RunConfig) -> Iterator[Any]:
        yield from _compute(context, job, now=config.now)

    definition: dg.AssetsDefinition = compute
    return definition


def _compute(context: dg.AssetExecutionContext, job: Job, *, now: bool) -> Iterator[Any]:
    settings = load_settings()
    as_of = None if now else min(context.partition_time_window.end, clock.now())
    outcome = _outcome(settings, job, as_of)
    reports = {report.feature.reference: report for report in outcome.reports}
    if now and outcome.ending is Ending.SUCCEEDED:
        follow(partial(measure_after_run, settings), job)
    with connect(settings) as connection:
        records = past_runs.last_records(connection, job, backfill_of=as_of)
    for feature in job.features:
        yield from _check_results(feature, records)
    if outcome.ending is not Ending.SUCCEEDED:
        # Whatever may pass has been tried again already.
        raise dg.Failure(description=outcome.error, allow_retries=False)
    for feature in job.features:
        report = reports[feature.reference]
        yield dg.MaterializeResult(
            asset_key=_asset_key(feature),
            metadata={
                "as_of": report.as_of.isoformat(),
                "values": report.row_count,
                "latest_rows_changed": report.latest_row_count,
                "online_values": report.online_row_count,
                **report.metrics,
            },
        )


def _outcome(settings: Settings, job: Job, as_of: datetime | None) -> Outcome:
    lacking = [] if as_of is not None else unsound_dependencies(settings, job)
    if lacking:
        return skip(settings, job, lacking, as_of=None)
    options = pipeline.Options(append_history=None if as_of is None else True)
    return run_job(settings, job, as_of=as_of, options=options)


def _check_results(
    feature: FeatureVersion, records: Sequence[Mapping[str, Any]]
) -> Iterator[dg.AssetCheckResult]:
    checks = [
        check
        for record in records
        if record["feature_name"] == feature.feature_name
        for check in record["checks"]
    ]
    for check_type in _CHECK_TYPES:
        failed = [c for c in checks if c["check_type"] == check_type and not c["success"]]
        yield dg.AssetCheckResult(
            asset_key=_asset_key(feature),
            check_name=check_type,
            passed=not failed,
            metadata={
                "expected": sum(check["check_type"] == check_type for check in checks),
                "failed": "; ".join(
                    f"{c['subject']}: {c['expectation']}, {c['observed']}" for c in failed
                ),
            },
        )


def _partitions(wave: Wave) -> dg.TimeWindowPartitionsDefinition:
    interval = max(feature.history_interval for job in wave.jobs for feature in job.features)
    return dg.TimeWindowPartitionsDefinition(
        start=_PARTITIONS_START,
        cron_schedule=_cron(interval),
        fmt="%Y-%m-%dT%H:%M",
        timezone="UTC",
        end_offset=1,  # the interval that is running, which schedules compute
    )


def _schedule(name: str, wave: Wave, asset_job: Any) -> dg.ScheduleDefinition:  # noqa: ANN401 - Dagster's own type is private
    partitions = _partitions(wave)

    @dg.schedule(
        name=f"{name}_schedule",
        job=asset_job,
        cron_schedule=_cron(wave.frequency),
        execution_timezone="UTC",
    )
    def start(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(
            partition_key=partitions.get_partition_key_for_timestamp(
                context.scheduled_execution_time.timestamp()
            ),
            run_config={"ops": {_identifier(job): {"config": {"now": True}} for job in wave.jobs}},
        )

    definition: dg.ScheduleDefinition = start
    return definition


def _cron(interval: timedelta) -> str:
    """Return the cron expression of an interval, rounded down to what cron can say."""
    if interval < _HOUR:
        return f"*/{max(interval // _MINUTE, 1)} * * * *"
    if interval < _DAY:
        return f"0 */{interval // _HOUR} * * *"
    return "0 0 * * *" if interval < 7 * _DAY else "0 0 * * 1"


def _identifier(job: Job) -> str:
    name, _, version = job.name.partition("==")
    return f"{name}_v{version.replace('.', '_')}"
