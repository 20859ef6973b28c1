"""The parts of the picture, and where each is read."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg import IsolationLevel, sql

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from monitoring.exporter.jobs import read_job_states
from monitoring.exporter.picture import Picture
from monitoring.exporter.totals import count_runs, read_totals
from monitoring.exporter.watch import Reading
from monitoring.staleness import count_stored, last_published
from monitoring.watched import watched_features
from transformations.selection import scheduled_jobs
from transformations.snapshots.storage import Storage
from transformations.source_tables import EVENT_TIMES

_STATEMENT_TIMEOUT: LiteralString = "SET statement_timeout = '10min'"

_LAST_MEASUREMENTS = """
SELECT DISTINCT ON (feature_name, version, against) feature_name, version, drifted, findings
FROM drift_measurements WHERE feature_name = ANY(%s)
ORDER BY feature_name, version, against, measured_at DESC
"""

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

    def registry(_picture: Picture, _now: datetime) -> Mapping[str, Any]:
        return {"catalog": read_catalog()}

    def runs(picture: Picture, _now: datetime) -> Mapping[str, Any]:
        with _connection(settings) as connection:
            count_runs(connection)
            # Of one state: a failed job, and no check that says why, would be a false alarm.
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            with connection.transaction():
                return {
                    "totals": read_totals(connection),
                    "jobs": read_job_states(connection, _job_names(picture.catalog)),
                    "published": last_published(connection, _watched(picture)),
                    "failed_checks": _failed_checks(connection, _watched(picture)),
                }

    def sources(_picture: Picture, now: datetime) -> Mapping[str, Any]:
        until = now + timedelta(seconds=settings.clock_skew_seconds)
        with _connection(settings) as connection:
            return {"newest_rows": _newest_rows(connection, until=until)}

    def values(picture: Picture, now: datetime) -> Mapping[str, Any]:
        with _connection(settings) as connection:
            return {"stored": count_stored(connection, _watched(picture), now=now)}

    def drift(picture: Picture, _now: datetime) -> Mapping[str, Any]:
        names = [feature.feature_name for feature in _watched(picture)]
        with _connection(settings) as connection:
            rows = connection.execute(_LAST_MEASUREMENTS, (names,)).fetchall()
        scores: dict[tuple[str, str, str], float] = {}
        drifting: dict[tuple[str, str], bool] = {}
        for feature_name, version, drifted, findings in rows:
            drifting[feature_name, version] = drifted or drifting.get(
                (feature_name, version), False
            )
            for finding in findings:
                key = (feature_name, version, finding["statistic"])
                scores[key] = max(finding["score"], scores.get(key, 0.0))
        return {"drift_scores": scores, "drifting": drifting}

    def snapshots(_picture: Picture, _now: datetime) -> Mapping[str, Any]:
        days = Storage.open(settings).days()
        return {"newest_snapshot": days[-1] if days else None}

    return [
        Reading("registry", often, registry),
        Reading("runs", often, runs),
        Reading("sources", often, sources),
        Reading("drift", often, drift),
        Reading("values", seldom, values),
        Reading("snapshots", seldom, snapshots),
    ]


@contextlib.contextmanager
def _connection(settings: Settings) -> Iterator[Connection]:
    with connect(settings, autocommit=True) as connection:
        connection.execute(_STATEMENT_TIMEOUT)
        yield connection


def _job_names(catalog: Catalog | None) -> list[str]:
    return [] if catalog is None else [job.name for job in scheduled_jobs(catalog)]


def _watched(picture: Picture) -> list[FeatureVersion]:
    return [] if picture.catalog is None else watched_features(picture.catalog)


def _failed_checks(
    connection: Connection, features: Sequence[FeatureVersion]
) -> dict[tuple[str, str], int]:
    names, versions = [f.feature_name for f in features], [f.version for f in features]
    rows = connection.execute(_FAILED_CHECKS, (names, versions)).fetchall()
    return {(feature_name, version): count for feature_name, version, count in rows}


def _newest_rows(connection: Connection, *, until: datetime) -> dict[str, datetime]:
    """Return the instant of each source table's newest row; rows of the future are a mistake."""
    found = {}
    for table, column in EVENT_TIMES.items():
        query = sql.SQL("SELECT max({column}) FROM {table} WHERE {column} <= %s").format(
            column=sql.Identifier(column), table=sql.Identifier(table)
        )
        row = connection.execute(query, (until,)).fetchone()
        if row is not None and row[0] is not None:
            found[table] = row[0]
    return found
