"""How many entities have a value of a feature version, how old it is, and how values are spread."""

from dataclasses import dataclass
from datetime import datetime

from feature_repo.registry.metadata import FeatureType, FeatureVersion
from foundation.postgres import Connection

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)
_COUNTS = """
SELECT count(*), max("timestamp") FROM feature_latest WHERE feature_name = %s AND version = %s
"""
# Of so many values more say nothing new.
_MOST_VALUES = 100_000
_SPREAD = """
SELECT percentile_disc(%s::float8[]) WITHIN GROUP (ORDER BY value) FROM (
    SELECT feature_value::float8 AS value FROM feature_latest
    WHERE feature_name = %s AND version = %s AND feature_value <> 'null' LIMIT %s) AS sample
"""


@dataclass(frozen=True)
class LatestFacts:
    """
    The latest values of a feature version.

    Attributes:
        entity_count: How many entities have one.
        newest: The newest event timestamp; None without values.
        quantiles: Of numbers, at `QUANTILES`; None of other types, or without values.
    """

    entity_count: int
    newest: datetime | None
    quantiles: tuple[float, ...] | None


def latest_facts(connection: Connection, feature: FeatureVersion) -> LatestFacts:
    """Return what PostgreSQL has of a feature version."""
    key = (feature.feature_name, feature.version)
    count, newest = connection.execute(_COUNTS, key).fetchone() or (0, None)
    if not count or feature.feature_type is not FeatureType.FLOAT:
        return LatestFacts(count, newest, None)
    row = connection.execute(_SPREAD, (list(QUANTILES), *key, _MOST_VALUES)).fetchone()
    return LatestFacts(count, newest, tuple(row[0]) if row and row[0] else None)
