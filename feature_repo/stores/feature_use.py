"""How often each feature version was served, a day: what decides whether it may be retired."""

from datetime import date

from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import connect
from foundation.settings import Settings

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
SELECT coalesce(sum(requests), 0) FROM feature_use
WHERE feature_name = %s AND version = %s AND day >= %s
"""


def requests_since(settings: Settings, feature: FeatureVersion, *, since: date) -> int:
    """
    Return how many requests were served a feature version from a day on.

    Raises:
        StoreUnavailable: PostgreSQL can't be reached.
    """
    key = (feature.feature_name, feature.version, since)
    with connect(settings) as connection:
        row = connection.execute(_REQUESTS_SINCE, key).fetchone()
    return int(row[0]) if row else 0
