"""Staleness is the age of the last run, measured against each version's own tolerance."""

import json
from datetime import UTC, datetime, timedelta

from feature_repo.registry.gather import gather_features
from foundation.postgres import Connection
from monitoring.staleness import measure_staleness
from tests.integration.monitoring.runs_on_record import insert_run

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FEATURES = {
    feature.feature_name: feature for feature in gather_features() if feature.version == "1.0.0"
}
POPULARITY = FEATURES["popularity_score"]
TOLERANCE = POPULARITY.staleness_tolerance


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
    """Exactly at the tolerance is fresh still; a version is stale when its last run is."""
    _insert(postgres, "popularity_score", [TOLERANCE, TOLERANCE + SECOND, SECOND])
    insert_run(postgres, "popularity_score", started_at=NOW - TOLERANCE)
    insert_run(postgres, "product_freshness_score", started_at=NOW - timedelta(hours=2))
    popularity, freshness, affinity = measure_staleness(
        postgres,
        [POPULARITY, FEATURES["product_freshness_score"], FEATURES["user_category_affinity"]],
        now=NOW,
    )
    assert (popularity.stored.entity_count, popularity.stored.stale_count) == (3, 1)
    assert popularity.staleness == TOLERANCE
    assert not popularity.is_stale
    assert freshness.is_stale
    assert (affinity.staleness, affinity.last_run_status, affinity.is_stale) == (None, None, True)


def test_only_what_everybody_got_makes_a_version_fresh(postgres: Connection) -> None:
    """Not a value computed for a request, nor a failed run, nor one for chosen entities."""
    _insert(postgres, "popularity_score", [SECOND])
    old = NOW - 2 * TOLERANCE
    insert_run(postgres, "popularity_score", started_at=old)
    insert_run(postgres, "popularity_score", started_at=NOW - SECOND, status="failed")
    insert_run(postgres, "popularity_score", started_at=NOW - 2 * SECOND, entity_scope="few")
    (popularity,) = measure_staleness(postgres, [POPULARITY], now=NOW)
    assert (popularity.published, popularity.is_stale) == (old, True)
    assert popularity.last_run_status == "failed"
