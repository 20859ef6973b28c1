"""How the last computations of feature versions went."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from psycopg.rows import dict_row

from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection

# By reference, newest first: status, started_at, finished_at, as_of, watermarks (the newest row's
# instant by source table), row_count, error, and failed_checks by name.
RunFacts: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]

RUNS_SHOWN = 5

# What is read of checks and inputs is read of the few runs that are shown.
LAST_RUNS = """
SELECT wanted.feature_name || '==' || wanted.version AS reference,
    run.status, run.started_at, run.finished_at, run.as_of, run.row_count, run.error,
    coalesce((SELECT jsonb_object_agg(name, found -> 'newest')
              FROM jsonb_each(run.inputs) AS input (name, found)), '{}') AS watermarks,
    ARRAY(SELECT DISTINCT concat_ws(' of ', found ->> 'check_type', found ->> 'subject')
          FROM jsonb_array_elements(run.checks) AS found
          WHERE NOT (found ->> 'success')::boolean ORDER BY 1) AS failed_checks
FROM unnest(%(feature_names)s::text[], %(versions)s::text[]) AS wanted (feature_name, version)
CROSS JOIN LATERAL (
    SELECT * FROM computation_runs AS run
    WHERE run.feature_name = wanted.feature_name AND run.version = wanted.version
      AND NOT backfill AND status <> 'running'
    ORDER BY started_at DESC LIMIT %(limit)s) AS run
ORDER BY reference, run.started_at DESC
"""

# Of each feature version: reference, as_of, row_count and distribution, or no row.
LAST_PUBLISHED = """
SELECT wanted.feature_name || '==' || wanted.version AS reference,
    run.as_of, run.row_count, run.distribution
FROM unnest(%(feature_names)s::text[], %(versions)s::text[]) AS wanted (feature_name, version)
CROSS JOIN LATERAL (
    SELECT as_of, row_count, distribution FROM computation_runs AS run
    WHERE run.feature_name = wanted.feature_name AND run.version = wanted.version
      AND NOT backfill AND row_count IS NOT NULL
    ORDER BY started_at DESC LIMIT 1) AS run
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


def last_runs(connection: Connection, features: Iterable[FeatureVersion]) -> RunFacts:
    """Return how the last few runs of each feature version went, backfills aside."""
    wanted = list(features)
    with connection.cursor(row_factory=dict_row) as cursor:
        return run_facts(wanted, cursor.execute(LAST_RUNS, last_runs_parameters(wanted)).fetchall())


def last_runs_parameters(features: Sequence[FeatureVersion]) -> dict[str, Any]:
    """Return what LAST_RUNS and LAST_PUBLISHED want to know."""
    return {
        "feature_names": [feature.feature_name for feature in features],
        "versions": [feature.version for feature in features],
        "limit": RUNS_SHOWN,
    }


def run_facts(features: Iterable[FeatureVersion], rows: Iterable[Mapping[str, Any]]) -> RunFacts:
    """Return the rows of LAST_RUNS by reference; none of a version that has not run yet."""
    found: dict[str, list[Mapping[str, Any]]] = {feature.reference: [] for feature in features}
    for row in rows:
        found[row["reference"]].append({k: v for k, v in row.items() if k != "reference"})
    return found
