"""
Dagster's view of the jobs: `dagster dev -m transformations.dagster_definitions`.

Generated from the registry when Dagster loads it. Each feature version is an asset, downstream of
its source tables and dependencies; each feature service is downstream of what it reads. Partitions
are history intervals: materializing one computes the values as of its end. Schedules compute the
values of now, into the partition that is running. Each kind of quality check is an asset check.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.errors import FeatureStoreError
from foundation.postgres import connect
from foundation.settings import load_settings
from transformations import past_runs, pipeline, runs
from transformations.drift.after_run import measure_after_run
from transformations.expressions import computation_module
from transformations.jobs import Job
from transformations.orchestration import follow
from transformations.selection import scheduled_jobs
from transformations.source_tables import SCHEMAS

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
    assets = {job.name: _job_assets(job) for job in jobs}
    asset_jobs = {job.name: _asset_job(job, assets[job.name]) for job in jobs}
    return dg.Definitions(
        assets=[*_source_assets(), *assets.values(), *_service_assets(catalog, jobs)],
        jobs=list(asset_jobs.values()),
        schedules=[_schedule(job, asset_jobs[job.name]) for job in jobs],
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


def _job_assets(job: Job) -> dg.AssetsDefinition:
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
        partitions_def=_partitions(job),
        can_subset=False,
    )
    def compute(context: dg.AssetExecutionContext, config: RunConfig) -> Iterator[Any]:
        yield from _compute(context, job, now=config.now)

    definition: dg.AssetsDefinition = compute
    return definition


def _compute(context: dg.AssetExecutionContext, job: Job, *, now: bool) -> Iterator[Any]:
    settings = load_settings()
    as_of = None if now else min(context.partition_time_window.end, clock.now())
    error: FeatureStoreError | None = None
    reports: Mapping[str, runs.RunReport] = {}
    try:
        options = pipeline.Options(append_history=None if now else True)
        done = pipeline.run(settings, job, as_of=as_of, options=options)
        reports = {report.feature.reference: report for report in done}
        if now:
            follow(partial(measure_after_run, settings), job)
    except FeatureStoreError as caught:
        error = caught
    with connect(settings) as connection:
        records = past_runs.last_records(connection, job, backfill_of=as_of)
    for feature in job.features:
        yield from _check_results(feature, records)
    if error is not None:
        raise dg.Failure(description=str(error), allow_retries=False)
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


def _partitions(job: Job) -> dg.TimeWindowPartitionsDefinition:
    interval = max(feature.history_interval for feature in job.features)
    return dg.TimeWindowPartitionsDefinition(
        start=_PARTITIONS_START,
        cron_schedule=_cron(interval),
        fmt="%Y-%m-%dT%H:%M",
        timezone="UTC",
        end_offset=1,  # the interval that is running, which schedules compute
    )


def _asset_job(job: Job, assets: dg.AssetsDefinition) -> Any:  # noqa: ANN401 - Dagster's own type is private
    return dg.define_asset_job(
        f"{_identifier(job)}_job", selection=dg.AssetSelection.assets(assets)
    )


def _schedule(job: Job, asset_job: Any) -> dg.ScheduleDefinition:  # noqa: ANN401 - see above
    frequency = job.leader.computation_frequency
    assert frequency is not None, "what is computed on demand has no job"  # noqa: S101 - jobs_of
    partitions = _partitions(job)
    node = _identifier(job)

    @dg.schedule(
        name=f"{node}_schedule",
        job=asset_job,
        cron_schedule=_cron(frequency),
        execution_timezone="UTC",
    )
    def start(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(
            partition_key=partitions.get_partition_key_for_timestamp(
                context.scheduled_execution_time.timestamp()
            ),
            run_config={"ops": {node: {"config": {"now": True}}}},
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
