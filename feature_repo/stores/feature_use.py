"""How often each feature version was served, a day: what decides whether it may be retired."""

from datetime import date

from foundation.postgres import Connection

# Of arrays of the same length, and one day. In one order, whoever writes: no deadlock.
ADD_REQUESTS = """
INSERT INTO feature_use (feature_name, version, day, requests)
SELECT feature_name, version, %(day)s, requests
FROM unnest(%(feature_names)s::text[], %(versions)s::text[], %(requests)s::bigint[])
  AS served (feature_name, version, requests)
ORDER BY feature_name, version
ON CONFLICT (feature_name, version, day)
DO UPDATE SET requests = feature_use.requests + excluded.requests
"""
_REQUESTS_SINCE = """
SELECT feature_name || '==' || version, sum(requests)::bigint FROM feature_use
WHERE day >= %s GROUP BY 1
"""


def requests_since(connection: Connection, day: date) -> dict[str, int]:
    """Return, by reference, how many requests were served a feature version from a day on."""
    return dict(connection.execute(_REQUESTS_SINCE, (day,)).fetchall())
