"""Values that are pushed to the offline store."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from feast import FeatureStore
from feast.data_source import PushMode

from foundation.errors import ContractViolation
from foundation.postgres import Connection

AT = datetime(2026, 5, 31, 23, 30, tzinfo=UTC)
TOO_LATE = datetime(9999, 12, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _frame(**columns: list[Any]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    times = {"event_timestamp": [AT] * count, "created_at": [AT] * count}
    return pd.DataFrame(times | columns)


def _push(feast_store: FeatureStore, view: str, frame: pd.DataFrame) -> None:
    feast_store.push(f"{view}_push", frame, to=PushMode.OFFLINE)


def test_what_is_pushed_can_be_trained_on(feast_store: FeatureStore, postgres: Connection) -> None:
    """Of any months; the newest of each entity is its latest value."""
    frame = _frame(
        product_id=["a", "a", "b:c"],
        popularity_score=[0.1, 0.2, 0.3],
        event_timestamp=[AT, AT + HOUR, AT],
    )
    _push(feast_store, "popularity_score_v1_0_0", frame)
    asked = frame[["product_id", "event_timestamp"]]
    rows = feast_store.get_historical_features(
        entity_df=asked, features=["popularity_score_v1_0_0:popularity_score"]
    ).to_df()
    assert rows["popularity_score"].tolist() == [0.1, 0.2, 0.3]
    latest = postgres.execute(
        'SELECT entity_id, feature_value, "timestamp" FROM feature_latest ORDER BY 1'
    ).fetchall()
    assert latest == [("a", 0.2, AT + HOUR), ("b%3Ac", 0.3, AT)]
    assert postgres.execute(
        "SELECT count(*) FROM feature_values WHERE created_at > now() - interval '1 hour'"
    ).fetchone() == (3,)


def test_maps_and_vectors_are_pushed(feast_store: FeatureStore) -> None:
    """As dictionaries and lists."""
    affinities = [{"b": 1.0}, {"c": 0.5, "d": 0.25}]
    _push(
        feast_store,
        "user_category_affinity_v1_0_0",
        _frame(user_id=["u", "v"], user_category_affinity=affinities),
    )
    factors = [[0.5] * 64, [-0.25] * 64]
    _push(feast_store, "user_factors_v1_0_0", _frame(user_id=["u", "v"], user_factors=factors))
    rows = feast_store.get_historical_features(
        entity_df=pd.DataFrame({"user_id": ["u", "v"], "event_timestamp": [AT, AT]}),
        features=[
            "user_category_affinity_v1_0_0:user_category_affinity",
            "user_factors_v1_0_0:user_factors",
        ],
    ).to_df()
    assert rows["user_category_affinity"].tolist() == affinities
    assert rows["user_factors"].tolist() == factors


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"product_id": ["a"], "popularity_score": [1.5]}, "not within"),
        ({"product_id": ["a"], "popularity_score": [float("inf")]}, "infinite"),
        ({"product_id": ["a", "b"], "popularity_score": [0.5, None]}, "1 rows lack"),
        ({"product_id": [None, "b"], "popularity_score": [0.5, 0.5]}, "1 rows lack"),
        ({"product_id": ["a", "a"], "popularity_score": [0.5, 0.6]}, "1 rows are of an entity"),
        ({"product_id": ["a"], "popularity_score": ["x"]}, "is no float"),
        (
            {"product_id": ["a"], "popularity_score": [0.5], "event_timestamp": [TOO_LATE]},
            r"popularity_score==1\.0\.0: event_timestamp 9999-12-01.* is not before 9999-12-01",
        ),
    ],
)
def test_bad_values_are_refused(
    feast_store: FeatureStore, postgres: Connection, columns: dict[str, list[Any]], reason: str
) -> None:
    """With what is wrong with them, and nothing is written."""
    with pytest.raises(ContractViolation, match=reason):
        _push(feast_store, "popularity_score_v1_0_0", _frame(**columns))
    assert postgres.execute("SELECT count(*) FROM feature_latest").fetchone() == (0,)


@pytest.mark.parametrize("at", [datetime(476, 9, 4, tzinfo=UTC), TOO_LATE - HOUR])
def test_any_other_instant_has_a_month(
    feast_store: FeatureStore, postgres: Connection, at: datetime
) -> None:
    """Whose name sorts as its time does."""
    frame = _frame(product_id=["a"], popularity_score=[0.5], event_timestamp=[at])
    _push(feast_store, "popularity_score_v1_0_0", frame)
    row = postgres.execute('SELECT tableoid::regclass::text, "timestamp" FROM feature_values')
    assert row.fetchone() == (f"feature_values_{at.year:04}_{at.month:02}", at)
    postgres.execute(f"DROP TABLE feature_values_{at.year:04}_{at.month:02}")
    postgres.commit()
