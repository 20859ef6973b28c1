"""The picture as Prometheus metrics: pure, so a scrape takes as long as formatting some numbers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import Status
from monitoring.exporter import totals
from monitoring.exporter.jobs import JobState
from monitoring.exporter.picture import Picture
from monitoring.exporter.totals import Total
from monitoring.watched import LIVE, watched_features
from transformations.drift.records import DETECTED
from transformations.selection import scheduled_jobs
from transformations.snapshots.manifest import midnight

Samples = Iterable[tuple[Sequence[str], float]]

_ENDINGS = ("failed", "skipped", "succeeded")
_OUTCOMES = ("fail", "pass")


def metric_families(picture: Picture, *, now: datetime) -> Iterator[Metric]:
    """Return every metric of a picture at an instant."""
    yield from _of_the_exporter(picture, now)
    yield from _counters(picture)
    yield from _of_jobs(picture.jobs)
    yield _gauge(
        "data_freshness_seconds",
        "Age of a source table's newest row.",
        ["data_source"],
        (([table], _age(now, newest)) for table, newest in picture.newest_rows.items()),
    )
    if picture.newest_snapshot is not None:
        yield _gauge(
            "snapshot_age_seconds",
            "Age of the midnight of the newest complete snapshot.",
            [],
            [([], _age(now, midnight(picture.newest_snapshot)))],
        )
    if picture.catalog is not None:
        yield from _of_features(picture, picture.catalog, now)


def _of_the_exporter(picture: Picture, now: datetime) -> Iterator[Metric]:
    parts, registry = picture.parts, picture.parts["registry"]
    yield _gauge(
        "exporter_last_scrape_success",
        "1 if the last reading of every part went well and is recent, else 0.",
        [],
        [([], all(part.is_well(now) for part in parts.values()))],
    )
    yield _counter(
        "monitoring_scrape_errors_total",
        "Readings that failed, by part of the picture.",
        ["part"],
        (([name], part.error_count) for name, part in parts.items()),
    )
    yield _gauge(
        "monitoring_last_read_timestamp_seconds",
        "When a part was last read successfully, in seconds since 1970; 0: never.",
        ["part"],
        (([name], _seconds_since_1970(part.read_at)) for name, part in parts.items()),
    )
    yield _gauge(
        "feature_registry_reachable",
        "1 if the registry could be read at the last attempt, else 0.",
        [],
        [([], registry.is_well(now))],
    )
    if registry.read_at is not None:
        yield _gauge(
            "feature_registry_age_seconds",
            "Time since the registry was last read.",
            [],
            [([], _age(now, registry.read_at))],
        )


def _counters(picture: Picture) -> Iterator[Metric]:
    catalog = picture.catalog
    jobs = [] if catalog is None else [job.name for job in scheduled_jobs(catalog)]
    names = [] if catalog is None else list(dict.fromkeys(f.feature_name for f in catalog.features))
    by_metric: dict[str, list[Total]] = {}
    for total in picture.totals:
        by_metric.setdefault(total.metric, []).append(total)
    checks = by_metric.get(totals.CHECKS, [])
    checked = {(t.labels["feature_name"], t.labels["check_type"]) for t in checks}
    # An increase from nothing to 1 is none to Prometheus: what may happen starts at 0.
    for metric, help_text, labels, expected in (
        (
            totals.RUNS,
            "Runs of jobs, by how they ended; backfills aside.",
            ("job_name", "status"),
            [(job, ending) for job in jobs for ending in _ENDINGS],
        ),
        (
            totals.RECORDS,
            "Values computed and published; backfills aside.",
            ("job_name",),
            [(job,) for job in jobs],
        ),
        (
            totals.CHECKS,
            "Quality checks of features' inputs and values.",
            ("feature_name", "check_type", "status"),
            [(*check, outcome) for check in sorted(checked) for outcome in _OUTCOMES],
        ),
        (
            DETECTED,
            "Measurements that found a feature's values to have drifted.",
            ("feature_name",),
            [(name,) for name in names],
        ),
    ):
        found = {
            tuple(total.labels[label] for label in labels): total.value
            for total in by_metric.get(metric, [])
        }
        samples = {**dict.fromkeys(expected, 0.0), **found}
        yield _counter(metric, help_text, labels, samples.items())
    yield _durations(by_metric)


def _durations(by_metric: Mapping[str, Sequence[Total]]) -> Metric:
    family = HistogramMetricFamily(
        "batch_job_duration_seconds", "How long a run took; backfills aside.", labels=["job_name"]
    )
    counts: dict[str, Counter[float]] = {}
    for total in by_metric.get(totals.DURATION_BUCKET, []):
        of_job = counts.setdefault(total.labels["job_name"], Counter())
        of_job[float(total.labels["le"])] += int(total.value)
    sums = {t.labels["job_name"]: t.value for t in by_metric.get(totals.DURATION_SUM, [])}
    for job_name, of_job in counts.items():
        bounds = sorted({*of_job, *totals.DURATION_BOUNDS, float("inf")})
        below, buckets = 0, []
        for bound in bounds:
            below += of_job[bound]
            buckets.append(("+Inf" if bound == float("inf") else str(bound), float(below)))
        family.add_metric([job_name], buckets, sums.get(job_name, 0.0))
    return family


def _of_jobs(jobs: Sequence[JobState]) -> Iterator[Metric]:
    for name, help_text, samples in (
        (
            "batch_job_last_success_timestamp",
            "When a job last succeeded, in seconds since 1970; 0: never.",
            [(job, _seconds_since_1970(job.succeeded_at)) for job in jobs],
        ),
        (
            "batch_job_consecutive_failures",
            "Failed runs since a job last succeeded.",
            [(job, job.consecutive_failures) for job in jobs],
        ),
        (
            "batch_job_last_duration_seconds",
            "How long the last successful run took.",
            [(job, job.last_seconds) for job in jobs],
        ),
        (
            "batch_job_expected_duration_seconds",
            "Median of how long the last successful runs took.",
            [(job, job.expected_seconds) for job in jobs],
        ),
        (
            "batch_job_last_records",
            "Values that the last successful run gave.",
            [(job, job.last_records) for job in jobs],
        ),
        (
            "batch_job_running_since_timestamp",
            "When the run that is under way started, in seconds since 1970; 0: none is.",
            [(job, _seconds_since_1970(job.running_since)) for job in jobs],
        ),
    ):
        known = [([job.job_name], value) for job, value in samples if value is not None]
        yield _gauge(name, help_text, ["job_name"], known)


def _of_features(picture: Picture, catalog: Catalog, now: datetime) -> Iterator[Metric]:
    jobs, features = scheduled_jobs(catalog), watched_features(catalog)
    yield _gauge(
        "batch_job_interval_seconds",
        "How often a job is to run.",
        ["job_name"],
        (
            ([job.name], job.leader.computation_frequency.total_seconds())
            for job in jobs
            if job.leader.computation_frequency is not None
        ),
    )
    yield _gauge(
        "batch_job_info",
        "1 for each feature version that a job computes.",
        ["job_name", "feature_name", "version"],
        (
            ([job.name, feature.feature_name, feature.version], 1)
            for job in jobs
            for feature in job.features
        ),
    )
    statuses = Counter(feature.status for feature in catalog.features)
    yield _gauge(
        "feature_versions",
        "Deployed feature versions, by status.",
        ["status"],
        (([status], statuses[status]) for status in Status),
    )
    for name, help_text, values in (
        (
            "feature_freshness_seconds",
            "Age of the instant that the last successful run was about.",
            {reference: _age(now, at) for reference, at in picture.published.items()},
        ),
        (
            "feature_staleness_tolerance_seconds",
            "Greatest age at which a value counts as fresh.",
            {f.reference: f.staleness_tolerance.total_seconds() for f in features},
        ),
        (
            "feature_stale_entities_ratio",
            "Share of entities whose latest value is older than tolerated.",
            {
                reference: stored.stale_count / stored.entity_count
                for reference, stored in picture.stored.items()
                if stored.entity_count
            },
        ),
        (
            "feature_rows",
            "Entities that have a latest value.",
            {reference: stored.entity_count for reference, stored in picture.stored.items()},
        ),
    ):
        samples = [
            ([feature.feature_name, feature.version], values[feature.reference])
            for feature in features
            if feature.reference in values
        ]
        yield _gauge(name, help_text, ["feature_name", "version"], samples)
    yield from _limits(catalog)
    yield _gauge(
        "feature_failed_checks",
        "Quality checks that the last ended run failed.",
        ["feature_name", "version"],
        picture.failed_checks.items(),
    )
    yield _gauge(
        "feature_drifting",
        "1 if the last measurement found drift, else 0.",
        ["feature_name", "version"],
        picture.drifting.items(),
    )
    yield _gauge(
        "feature_drift_score",
        "How far the last measurement found values to be from their reference, by statistic.",
        ["feature_name", "version", "statistic"],
        picture.drift_scores.items(),
    )


def _limits(catalog: Catalog) -> Iterator[Metric]:
    live = [feature for feature in catalog.features if feature.status in LIVE]
    for name, help_text, limits in (
        (
            "feature_hit_rate_limit_ratio",
            "Least share of served values that is to come from Redis.",
            [(f, f.alerts.hit_rate) for f in live if "redis" in f.serving_location],
        ),
        (
            "feature_unavailable_limit_ratio",
            "Greatest share of served values that may be defaults.",
            [(f, f.alerts.unavailable) for f in live],
        ),
    ):
        samples = [
            ([feature.feature_name, feature.version], limit)
            for feature, limit in limits
            if limit is not None
        ]
        yield _gauge(name, help_text, ["feature_name", "version"], samples)


def _age(now: datetime, instant: datetime) -> float:
    return (now - instant).total_seconds()


def _seconds_since_1970(instant: datetime | None) -> float:
    return 0.0 if instant is None else instant.timestamp()


def _gauge(name: str, help_text: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for values, value in samples:
        family.add_metric(values, float(value))
    return family


def _counter(name: str, help_text: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=labels)
    for values, value in samples:
        family.add_metric(values, float(value))
    return family
