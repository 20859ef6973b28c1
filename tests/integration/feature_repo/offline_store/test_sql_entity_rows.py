"""Entity rows that PostgreSQL selects."""

import pytest
from feast import FeatureStore

from foundation.errors import ContractViolation, StoreUnavailable
from foundation.postgres import Connection
from tests.integration.feature_repo.offline_store.asking import AT, HOUR, POPULARITY, write


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


@pytest.mark.parametrize(
    "end", ["", ";", " -- of one product", "; -- of one product", " /* a */;\n"]
)
def test_sql_ends_as_it_likes(feast_store: FeatureStore, postgres: Connection, end: str) -> None:
    """With comments, a semicolon, or both."""
    write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT))
    job = feast_store.get_historical_features(
        entity_df=f"SELECT 'a' AS product_id, '{AT}'::timestamptz AS event_timestamp{end}",
        features=[POPULARITY],
    )
    assert job.to_df()["popularity_score"].tolist() == [0.25]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ("now() AS event_timestamp, 'a' AS product_id, 'b' AS product_id", "more than once"),
        ("now() AS event_timestamp, 'a' AS product_id, 1 / 0 AS label", "division by zero"),
        ("now() AS event_timestamp, 'a' AS product_id, 'x'::int AS label", "invalid input syntax"),
        ("now() AS event_timestamp, nobody AS product_id", 'column "nobody" does not exist'),
        ("now() AS event_timestamp; SELECT 'a' AS product_id", "multiple commands"),
        ("'infinity'::timestamptz AS event_timestamp, 'a' AS product_id", "infinite"),
        ("'-infinity'::timestamp AS event_timestamp, 'a' AS product_id", "infinite"),
        ("'infinity'::date AS event_timestamp, 'a' AS product_id", "no timestamps"),
        ("'10000-01-01Z'::timestamptz AS event_timestamp, 'a' AS product_id", "years 1 to 9999"),
    ],
)
def test_what_is_wrong_with_the_sql_is_told(
    feast_store: FeatureStore, columns: str, reason: str
) -> None:
    """In PostgreSQL's words where it refuses; nobody is told that the store is down."""
    job = feast_store.get_historical_features(entity_df=f"SELECT {columns}", features=[POPULARITY])
    with pytest.raises(ContractViolation, match=reason):
        job.to_df()


def test_instants_at_the_ends_of_time(feast_store: FeatureStore, postgres: Connection) -> None:
    """The first look back no further than the first year, and nothing is too late."""
    write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT))
    job = feast_store.get_historical_features(
        entity_df="""
            SELECT 'a' AS product_id, event_timestamp::timestamptz
            FROM unnest(ARRAY['0001-01-01Z', '2026-06-01T12:00Z', '9999-12-31Z']) event_timestamp
        """,
        features=[POPULARITY],
    )
    assert job.to_arrow()["popularity_score"].to_pylist() == [None, 0.25, None]


def test_a_query_has_a_limit_of_time(feast_store: FeatureStore) -> None:
    """Whoever gives one need not wait longer."""
    job = feast_store.get_historical_features(
        entity_df="SELECT 'a' AS product_id, now() AS event_timestamp FROM pg_sleep(600)",
        features=[POPULARITY],
    )
    for execute in (job.to_df, job.to_arrow):
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            execute(timeout=1)
