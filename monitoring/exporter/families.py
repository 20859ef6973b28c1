"""The picture as Prometheus metrics: pure, so a scrape takes as long as formatting some numbers."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import Metric

from monitoring.exporter.counter_families import counter_families
from monitoring.exporter.feature_families import feature_families
from monitoring.exporter.job_families import deployed_jobs, job_states
from monitoring.exporter.metrics import age, counter, gauge, seconds_since_1970
from monitoring.exporter.picture import Picture
from transformations.snapshots.manifest import midnight


def metric_families(picture: Picture, *, now: datetime) -> Iterator[Metric]:
    """Return every metric of a picture at an instant."""
    yield from _of_the_exporter(picture, now)
    yield from counter_families(picture)
    yield from job_states(picture.jobs)
    yield from _of_sources(picture, now)
    if picture.newest_snapshot is not None:
        yield gauge(
            "snapshot_age_seconds",
            "Age of the midnight of the newest complete snapshot.",
            [],
            [([], age(now, midnight(picture.newest_snapshot)))],
        )
    if picture.catalog is not None:
        yield from deployed_jobs(picture.catalog)
        yield from feature_families(picture, picture.catalog, now)


def _of_the_exporter(picture: Picture, now: datetime) -> Iterator[Metric]:
    parts, registry = picture.parts, picture.parts["registry"]
    yield gauge(
        "exporter_last_scrape_success",
        "1 if the last reading of every part went well and is recent, else 0.",
        [],
        [([], all(part.is_well(now) for part in parts.values()))],
    )
    yield counter(
        "monitoring_scrape_errors_total",
        "Readings that failed, by part of the picture.",
        ["part"],
        (([name], part.error_count) for name, part in parts.items()),
    )
    yield gauge(
        "monitoring_last_read_timestamp_seconds",
        "When a part was last read successfully, in seconds since 1970; 0: never.",
        ["part"],
        (([name], seconds_since_1970(part.read_at)) for name, part in parts.items()),
    )
    yield gauge(
        "feature_registry_reachable",
        "1 if the registry could be read at the last attempt, else 0.",
        [],
        [([], registry.is_well(now))],
    )
    if registry.read_at is not None:
        yield gauge(
            "feature_registry_age_seconds",
            "Time since the registry was last read.",
            [],
            [([], age(now, registry.read_at))],
        )


def _of_sources(picture: Picture, now: datetime) -> Iterator[Metric]:
    yield gauge(
        "data_freshness_seconds",
        "Age of a source table's newest row, or newest change of one.",
        ["data_source"],
        (([table], age(now, newest)) for table, newest in picture.newest_rows.items()),
    )
    yield gauge(
        "data_freshness_limit_seconds",
        "Greatest age at which a source table counts as fresh; of events, each run judges.",
        ["data_source"],
        (([table], limit.total_seconds()) for table, limit in picture.freshness_limits.items()),
    )
