"""How the last computation of each feature version went."""

from collections.abc import Mapping
from typing import Any

from psycopg.rows import dict_row

from foundation.postgres import Connection

LAST_RUNS = """
SELECT DISTINCT ON (feature_name, version)
    feature_name || '==' || version AS reference, status, as_of, finished_at, row_count, error,
    (SELECT count(*) FROM jsonb_array_elements(checks) AS each
     WHERE NOT (each ->> 'success')::bool) AS failed_checks
FROM computation_runs WHERE NOT backfill AND status <> 'running'
ORDER BY feature_name, version, started_at DESC
"""


def last_runs(connection: Connection) -> Mapping[str, Mapping[str, Any]]:
    """Return, by reference, status, as_of, finished_at, row_count, error and failed_checks."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LAST_RUNS).fetchall()
    return {row.pop("reference"): row for row in rows}
