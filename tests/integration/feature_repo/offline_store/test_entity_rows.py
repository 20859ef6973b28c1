"""Entity rows of every kind, as users give them."""

from typing import Any

import pandas as pd
import pytest
from feast import FeatureStore

from foundation.errors import ContractViolation
from foundation.postgres import Connection
from tests.integration.feature_repo.offline_store.asking import (
    AFFINITY,
    AT,
    HOUR,
    POPULARITY,
    ask,
    write,
)


def test_rows_come_back_as_they_were_given(feast_store: FeatureStore, postgres: Connection) -> None:
    """In their order, twice if given twice, with labels, and without values where none is known."""
    write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT), ("b", 0.5, AT - HOUR))
    rows = ask(
        feast_store,
        [POPULARITY],
        product_id=["b", "nobody", "a", "b", None],
        label=[1, 0, 1, 1, 0],
    )
    assert list(rows.columns) == ["event_timestamp", "product_id", "label", "popularity_score"]
    assert rows["product_id"].tolist() == ["b", "nobody", "a", "b", None]
    assert rows["label"].tolist() == [1, 0, 1, 1, 0]
    assert rows["popularity_score"].fillna(-1).tolist() == [0.5, -1, 0.25, 0.5, -1]


@pytest.mark.parametrize(
    "timestamps",
    [
        pd.Series([AT, AT - HOUR]),
        pd.Series([AT, AT - HOUR]).dt.tz_convert("Asia/Tokyo"),
        pd.Series([AT, AT - HOUR]).dt.tz_localize(None),
        pd.Series([AT.isoformat(), (AT - HOUR).replace(tzinfo=None).isoformat()]),
        pd.Series([AT, AT - HOUR]).astype(object),
    ],
    ids=["aware", "of another zone", "naive", "text", "objects"],
)
def test_timestamps_of_every_kind(
    feast_store: FeatureStore, postgres: Connection, timestamps: "pd.Series[Any]"
) -> None:
    """Naive ones are of UTC, whatever the session of PostgreSQL thinks."""
    write(postgres, "popularity_score==1.0.0", ("a", 0.1, AT - HOUR), ("a", 0.2, AT))
    rows = ask(feast_store, [POPULARITY], product_id=["a", "a"], event_timestamp=timestamps)
    assert rows["popularity_score"].tolist() == [0.2, 0.1]
    assert rows["event_timestamp"].tolist() == [AT, AT - HOUR]


def test_no_pair_is_taken_for_another(feast_store: FeatureStore, postgres: Connection) -> None:
    """Keys that read the same once joined are different, whatever they hold."""
    write(
        postgres,
        "user_product_affinity==1.0.0",
        ("1:23", 0.1, AT),
        ("12:3", 0.2, AT),
        ("u%3A:p", 0.3, AT),
        ("u:%3Ap", 0.4, AT),
    )
    rows = ask(
        feast_store,
        [AFFINITY],
        user_id=["12", "1", "u:", "u", "123"],
        product_id=["3", "23", "p", ":p", ""],
    )
    assert rows["user_product_affinity"].fillna(-1).tolist() == [0.2, 0.1, 0.3, 0.4, -1]


def test_columns_that_are_missing_or_in_the_way(feast_store: FeatureStore) -> None:
    """The error names the column and says what to do."""
    with pytest.raises(ContractViolation, match="no column 'product_id'"):
        ask(feast_store, [POPULARITY], product=["a"])
    with pytest.raises(ContractViolation, match="already, like the feature"):
        ask(feast_store, [POPULARITY], product_id=["a"], popularity_score=[1.0])
    with pytest.raises(ContractViolation, match="ids are texts"):
        ask(feast_store, [POPULARITY], product_id=[1.5])
    with pytest.raises(ContractViolation, match="no column 'event_timestamp'"):
        feast_store.get_historical_features(
            entity_df=pd.DataFrame({"product_id": ["a"]}), features=[POPULARITY]
        )


def test_without_entity_rows(feast_store: FeatureStore, postgres: Connection) -> None:
    """All that is stored of a time, with the other features as they were known then."""
    write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT), ("b", 0.5, AT - 2 * HOUR))
    write(postgres, "product_freshness_score==1.0.0", ("a", 0.75, AT - HOUR))
    rows = (
        feast_store.get_historical_features(
            features=[POPULARITY, "product_freshness_score_v1_0_0:product_freshness_score"],
            start_date=AT - HOUR,
            end_date=AT,
        )
        .to_arrow()
        .to_pylist()
    )
    assert [tuple(row.values()) for row in rows] == [
        (AT - HOUR, "a", None, 0.75),
        (AT, "a", 0.25, 0.75),
    ]
    with pytest.raises(ContractViolation, match="entity rows in common"):
        feast_store.get_historical_features(
            features=[POPULARITY, AFFINITY], start_date=AT - HOUR, end_date=AT
        )
