"""Which feature versions PostgreSQL has values of, whether anything else knows of them or not."""

from typing import LiteralString

from psycopg import sql

from foundation.postgres import Connection

VALUE_TABLES: tuple[LiteralString, ...] = ("feature_latest", "feature_values", "replaced_values")

# From one version to the next along the primary key: few steps, however many rows there are.
_STORED = """
WITH RECURSIVE stored AS (
    (SELECT feature_name, version FROM {table} ORDER BY feature_name, version LIMIT 1)
    UNION ALL
    SELECT following.* FROM stored, LATERAL (
        SELECT feature_name, version FROM {table} AS each
        WHERE (each.feature_name, each.version) > (stored.feature_name, stored.version)
        ORDER BY feature_name, version LIMIT 1
    ) AS following
)
SELECT feature_name || '==' || version FROM stored
"""


def stored_references(connection: Connection) -> set[str]:
    """Return the references of all versions that have values."""
    found: set[str] = set()
    for table in VALUE_TABLES:
        rows = connection.execute(sql.SQL(_STORED).format(table=sql.Identifier(table)))
        found |= {reference for (reference,) in rows}
    return found
