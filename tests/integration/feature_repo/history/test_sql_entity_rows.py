"""Entity rows that PostgreSQL selects."""

from feast import FeatureStore

from foundation.postgres import Connection
from tests.integration.feature_repo.history.asking import AT, HOUR, POPULARITY, write


def test_entity_rows_from_sql(feast_store: FeatureStore, postgres: Connection) -> None:
    """Whatever PostgreSQL can select; naive timestamps are of UTC, numbers are numbers."""
    write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT))
    job = feast_store.get_historical_features(
        entity_df="""
            SELECT 'a' AS product_id, 1.5::numeric AS label,
                   '2026-06-01T12:00'::timestamp - step * interval '2 hours' AS event_timestamp
            FROM generate_series(0, 1) AS step ORDER BY step;
        """,
        features=[POPULARITY],
    )
    assert job.to_arrow().to_pylist() == [
        {"product_id": "a", "label": 1.5, "event_timestamp": AT, "popularity_score": 0.25},
        {
            "product_id": "a",
            "label": 1.5,
            "event_timestamp": AT - 2 * HOUR,
            "popularity_score": None,
        },
    ]
    assert job.metadata.keys == ["product_id", "label"]
    assert job.metadata.min_event_timestamp == AT - 2 * HOUR
