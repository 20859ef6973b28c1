"""Staleness is measured against each version's own tolerance."""

import json
from datetime import UTC, datetime, timedelta

from feature_repo.registry.gather import gather_features
from foundation.postgres import Connection
from monitoring.staleness import measure_staleness

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
FEATURES = {
    feature.feature_name: feature for feature in gather_features() if feature.version == "1.0.0"
}


def _insert(connection: Connection, feature_name: str, ages: list[timedelta]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO feature_latest VALUES (%s, %s, %s, '1.0.0', %s)",
            [
                (str(number), feature_name, json.dumps(0.5), NOW - age)
                for number, age in enumerate(ages)
            ],
        )


def test_values_beyond_the_tolerance_are_counted(postgres: Connection) -> None:
    """Exactly at the tolerance is fresh still; a version is stale when its newest value is."""
    second = timedelta(seconds=1)
    tolerance = FEATURES["popularity_score"].staleness_tolerance
    _insert(postgres, "popularity_score", [tolerance, tolerance + second, second])
    _insert(postgres, "product_freshness_score", [timedelta(hours=2)])
    popularity, freshness, affinity = measure_staleness(
        postgres,
        [
            FEATURES["popularity_score"],
            FEATURES["product_freshness_score"],
            FEATURES["user_category_affinity"],
        ],
        now=NOW,
    )
    assert (popularity.entity_count, popularity.stale_count) == (3, 1)
    assert popularity.staleness == second
    assert not popularity.is_stale
    assert (freshness.stale_count, freshness.is_stale) == (1, True)
    assert (affinity.staleness, affinity.last_run_status, affinity.is_stale) == (None, None, True)
