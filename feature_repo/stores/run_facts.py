"""How the last computation of each feature version went."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import dict_row

from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection

LAST_RUNS = """
SELECT DISTINCT ON (feature_name, version)
    feature_name || '==' || version AS reference, status, as_of, finished_at, row_count, error,
    (SELECT count(*) FROM jsonb_array_elements(checks) AS each
     WHERE NOT (each ->> 'success')::bool) AS failed_checks
FROM computation_runs WHERE NOT backfill AND status <> 'running'
ORDER BY feature_name, version, started_at DESC
"""

# The edges of a run's distribution are its least and its greatest value, unless there were so many
# that only some of them were looked at.
_PUBLISHED_RUNS = """
SELECT as_of, CASE WHEN bool_and(is_exact) THEN min((edges ->> 0)::float8) END,
       CASE WHEN bool_and(is_exact) THEN max((edges ->> -1)::float8) END
FROM computation_runs CROSS JOIN LATERAL (
    SELECT distribution -> 'edges' AS edges,
           coalesce((distribution ->> 'count')::bigint <= 1000000, false) AS is_exact
) AS known
WHERE feature_name = %s AND version = %s AND row_count IS NOT NULL
  AND as_of BETWEEN %s - interval '1 ms' AND %s + interval '1 ms'
GROUP BY as_of ORDER BY as_of
"""


class PublishedRun(NamedTuple):
    """
    A run whose values were published, in PostgreSQL at least, with those that corrected it.

    Attributes:
        as_of: Event timestamp of its values.
        least: Of its numbers; None if nobody knows.
        greatest: The same.
    """

    as_of: datetime
    least: float | None
    greatest: float | None


def published_runs(
    connection: Connection, feature: FeatureVersion, *, start: datetime, end: datetime
) -> list[PublishedRun]:
    """Return the runs of a feature version as of the instants of a time, to the millisecond."""
    rows = connection.execute(
        _PUBLISHED_RUNS, (feature.feature_name, feature.version, start, end)
    ).fetchall()
    return [PublishedRun(*row) for row in rows]


def last_runs(connection: Connection) -> Mapping[str, Mapping[str, Any]]:
    """Return, by reference, status, as_of, finished_at, row_count, error and failed_checks."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LAST_RUNS).fetchall()
    return {row.pop("reference"): row for row in rows}
