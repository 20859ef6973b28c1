"""The parts of the picture, and where each is read."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, LiteralString

from psycopg import IsolationLevel, sql

from feature_repo.registry.catalog_reader import CatalogReader
from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from monitoring.exporter.drift import read_drift_states
from monitoring.exporter.jobs import read_job_states
from monitoring.exporter.picture import Picture
from monitoring.exporter.totals import count_runs, read_totals
from monitoring.exporter.watch import Reading
from monitoring.staleness import count_stored, last_published
from monitoring.watched import watched_features
from transformations.selection import scheduled_jobs
from transformations.snapshots.storage import Storage

Found = Mapping[str, Any]

_STATEMENT_TIMEOUT: LiteralString = "SET statement_timeout = '10min'"

# What tells that a source table still gets anything.
_SIGNS_OF_LIFE = {"events": "event_timestamp", "products": "updated_at", "users": "created_at"}

_FAILED_CHECKS = """
SELECT feature_name, version, count(*) FILTER (WHERE NOT (found ->> 'success')::boolean)
FROM unnest(%s::text[], %s::text[]) AS watched (feature_name, version)
CROSS JOIN LATERAL (
    SELECT checks FROM computation_runs AS run
    WHERE run.feature_name = watched.feature_name AND run.version = watched.version
      AND NOT backfill AND status IN ('succeeded', 'failed')
    ORDER BY started_at DESC LIMIT 1) AS last
LEFT JOIN LATERAL jsonb_array_elements(checks) AS found ON true
GROUP BY 1, 2
"""


def readings(settings: Settings) -> list[Reading]:
    """
    Return what the exporter reads, the catalog first.

    What an index answers is read often; counts of all values and the snapshots' folder are not.
    """
    often = timedelta(seconds=settings.exporter_refresh_seconds)
    seldom = timedelta(seconds=settings.exporter_count_seconds)
    return [
        Reading("registry", often, partial(_registry, CatalogReader())),
        Reading("runs", often, partial(_runs, settings)),
        Reading("sources", often, partial(_sources, settings)),
        Reading("drift", often, partial(_drift, settings)),
        Reading("values", seldom, partial(_values, settings)),
        Reading("snapshots", seldom, partial(_snapshots, settings)),
    ]


def _registry(read_catalog: CatalogReader, _picture: Picture, _now: datetime) -> Found:
    return {"catalog": read_catalog()}


def _runs(settings: Settings, picture: Picture, _now: datetime) -> Found:
    catalog, watched = picture.catalog, _watched(picture)
    job_names = [] if catalog is None else [job.name for job in scheduled_jobs(catalog)]
    with _connection(settings) as connection:
        count_runs(connection)
        # Of one state: a failed job, and no check that says why, would be a false alarm.
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            return {
                "totals": read_totals(connection),
                "jobs": read_job_states(connection, job_names),
                "published": last_published(connection, watched),
                "failed_checks": _failed_checks(connection, watched),
            }


def _sources(settings: Settings, _picture: Picture, now: datetime) -> Found:
    until = now + timedelta(seconds=settings.clock_skew_seconds)
    limit = timedelta(seconds=settings.products_freshness_seconds)
    with _connection(settings) as connection:
        return {
            "newest_rows": _newest_rows(connection, until=until),
            "freshness_limits": {"products": limit} if limit else {},
        }


def _drift(settings: Settings, picture: Picture, now: datetime) -> Found:
    interval = timedelta(seconds=settings.drift_interval_seconds)
    with _connection(settings) as connection:
        states = read_drift_states(connection, _watched(picture), interval=interval, now=now)
    return {"drift": states}


def _values(settings: Settings, picture: Picture, now: datetime) -> Found:
    with _connection(settings) as connection:
        return {"stored": count_stored(connection, _watched(picture), now=now)}


def _snapshots(settings: Settings, _picture: Picture, _now: datetime) -> Found:
    days = Storage.open(settings).days()
    return {"newest_snapshot": days[-1] if days else None}


@contextlib.contextmanager
def _connection(settings: Settings) -> Iterator[Connection]:
    with connect(settings, autocommit=True) as connection:
        connection.execute(_STATEMENT_TIMEOUT)
        yield connection


def _watched(picture: Picture) -> list[FeatureVersion]:
    return [] if picture.catalog is None else watched_features(picture.catalog)


def _failed_checks(
    connection: Connection, features: Sequence[FeatureVersion]
) -> dict[tuple[str, str], int]:
    names, versions = [f.feature_name for f in features], [f.version for f in features]
    rows = connection.execute(_FAILED_CHECKS, (names, versions)).fetchall()
    return {(feature_name, version): count for feature_name, version, count in rows}


def _newest_rows(connection: Connection, *, until: datetime) -> dict[str, datetime]:
    """Return when each source table last got anything; rows of the future are a mistake."""
    found = {}
    for table, column in _SIGNS_OF_LIFE.items():
        query = sql.SQL("SELECT max({column}) FROM {table} WHERE {column} <= %s").format(
            column=sql.Identifier(column), table=sql.Identifier(table)
        )
        row = connection.execute(query, (until,)).fetchone()
        if row is not None and row[0] is not None:
            found[table] = row[0]
    return found
