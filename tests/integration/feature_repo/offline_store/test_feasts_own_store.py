"""Feast's own store, beside ours."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pandas as pd
import pytest
from feast import FeatureStore, FeatureView, Field
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres import (
    PostgreSQLOfflineStore,
)
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    PostgreSQLSource,
)
from feast.types import Int64

from feature_repo.history.terms import as_known_at
from foundation.errors import ContractViolation
from foundation.postgres import Connection
from tests.integration.feature_repo.offline_store.asking import (
    AFFINITY,
    AT,
    FEATURES,
    HOUR,
    POPULARITY,
    ask,
    write,
)

# Of each table the last value is from after AT.
_OTHER_TABLES = """
CREATE TABLE other_sales AS SELECT * FROM (VALUES
    ('1', '23', 6, '2026-06-01T10:00Z'::timestamptz), ('1', '23', 7, '2026-06-01T12:00Z'),
    ('1', '23', 8, '2026-06-01T13:00Z')
) AS sales (user_id, product_id, units, at);
CREATE TABLE other_stock AS SELECT * FROM (VALUES
    ('23', 40, '2026-06-01T12:00Z'::timestamptz), ('23', 50, '2026-06-01T13:00Z')
) AS stock (product_id, level, at);
"""
_ROWS = """
SELECT user_id, product_id, event_timestamp::timestamptz, label::float8 FROM (VALUES
    ('12', '3', '2026-06-01T12:00Z', 1), ('1', '23', '2026-06-01T12:00Z', 2),
    ('1', '23', '2026-06-01T12:00Z', 3), (NULL, '23', '2026-06-01T12:00Z', 4),
    ('1', '23', '2026-06-01T11:00Z', 5)
) AS asked (user_id, product_id, event_timestamp, label) ORDER BY label -- as in the frame
"""
SALES = "sales:units"
STOCK = "stock:level"


@pytest.fixture
def others(feast_store: FeatureStore, postgres: Connection) -> Iterator[None]:
    """Let the registry know two views that were made from no feature version."""
    postgres.execute(_OTHER_TABLES)
    postgres.commit()
    product = feast_store.get_entity("product")
    user = feast_store.get_entity("user")
    views = [
        FeatureView(
            name=name,
            entities=entities,
            ttl=timedelta(days=1),
            schema=[Field(name=feature, dtype=Int64)],
            source=PostgreSQLSource(name=name, table=f"other_{name}", timestamp_field="at"),
        )
        for name, feature, entities in (
            ("sales", "units", [user, product]),
            ("stock", "level", [product]),
        )
    ]
    feast_store.apply(views)
    yield
    for view in views:
        feast_store.delete_feature_view(view.name)
    postgres.execute("DROP TABLE other_sales, other_stock")


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize("is_sql", [False, True])
def test_other_views_stand_beside_ours(
    feast_store: FeatureStore, postgres: Connection, *, is_sql: bool
) -> None:
    """Row by row, in the order of the rows, each by the store that is right for it."""
    write(postgres, "user_product_affinity==1.0.0", ("1:23", 0.1, AT), ("12:3", 0.2, AT))
    write(postgres, "popularity_score==1.0.0", ("23", 0.5, AT))
    frame = pd.DataFrame(
        {
            "user_id": ["12", "1", "1", None, "1"],
            "product_id": ["3", "23", "23", "23", "23"],
            "event_timestamp": [AT, AT, AT, AT, AT - HOUR],
            "label": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    job = feast_store.get_historical_features(
        entity_df=_ROWS if is_sql else frame, features=[STOCK, AFFINITY, POPULARITY]
    )
    found = job.to_arrow()
    assert found["label"].to_pylist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert found["user_product_affinity"].to_pylist() == [0.2, 0.1, 0.1, None, None]
    assert found["popularity_score"].to_pylist() == [None, 0.5, 0.5, 0.5, None]
    assert found["level"].to_pylist() == [None, 40, 40, 40, None]
    assert set(job.metadata.features) == {STOCK, AFFINITY, POPULARITY}


@pytest.mark.usefixtures("others")
def test_other_views_of_several_entities(feast_store: FeatureStore) -> None:
    """A row that lacks a key gets nothing of the views that have it."""
    features, user_ids = [SALES, STOCK, AFFINITY], ["1", None, "2"]
    rows = ask(feast_store, features, user_id=user_ids, product_id=["23"] * 3)
    assert rows["units"].fillna(-1).tolist() == [7, -1, -1]
    assert rows["level"].tolist() == [40, 40, 40]
    rows = ask(feast_store, features, user_id=[None], product_id=["23"])
    assert rows[["units", "user_product_affinity"]].isna().all(axis=None)
    assert rows["level"].tolist() == [40]


@pytest.mark.usefixtures("others")
def test_other_views_alone_go_to_feasts_store(feast_store: FeatureStore) -> None:
    """With or without entity rows."""
    assert ask(feast_store, [STOCK], product_id=["23"])["level"].tolist() == [40]
    job = feast_store.get_historical_features(features=[STOCK], start_date=AT, end_date=AT)
    assert job.to_df()["level"].tolist() == [40]


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize("features", [[STOCK], [POPULARITY, STOCK]])
def test_other_views_do_not_know_what_was_known(
    feast_store: FeatureStore, features: list[str]
) -> None:
    """They are refused, not answered with what is known now."""
    with as_known_at(AT), pytest.raises(ContractViolation, match="as_known_at: stock"):
        ask(feast_store, features, product_id=["23"])


@pytest.mark.usefixtures("others")
def test_all_that_is_stored_is_asked_of_one_store(feast_store: FeatureStore) -> None:
    """Without entity rows the two have no rows in common."""
    with pytest.raises(ContractViolation, match="stock: made from no feature version"):
        feast_store.get_historical_features(
            features=[POPULARITY, STOCK], start_date=AT - HOUR, end_date=AT
        )


@pytest.mark.parametrize("seed", range(4))
def test_feasts_own_store_says_the_same(
    feast_store: FeatureStore, postgres: Connection, seed: int
) -> None:
    """Of random histories, where it is right: single keys, aware timestamps, no row twice."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    references = ["popularity_score==1.0.0", "product_freshness_score==1.0.0"]
    products = [f"p{number}" for number in range(12)]
    minutes = [AT + number * timedelta(minutes=5) for number in range(-100, 100)]
    for reference in references:
        written = [
            (product, chance.random(), at)
            for product in products
            for at in chance.sample(minutes, chance.randrange(30))
        ]
        write(postgres, reference, *written)
    rows = [
        (product, at) for product in [*products, "unknown"] for at in chance.sample(minutes, 60)
    ]
    frame = pd.DataFrame(rows, columns=["product_id", "event_timestamp"])
    views = [FEATURES[reference].view_name for reference in references]
    features = [f"{v}:{FEATURES[r].feature_name}" for v, r in zip(views, references, strict=True)]
    ours = feast_store.get_historical_features(entity_df=frame, features=features).to_df()
    theirs = PostgreSQLOfflineStore.get_historical_features(
        feast_store.config,
        [feast_store.get_feature_view(view) for view in views],
        features,
        frame,
        feast_store.registry,
        feast_store.project,
    ).to_df()
    keys = ["product_id", "event_timestamp"]
    assert len(theirs) == len(ours) == len(rows)
    assert 50 < ours["popularity_score"].notna().sum() < len(rows)
    pd.testing.assert_frame_equal(
        ours.sort_values(keys, ignore_index=True),
        theirs.sort_values(keys, ignore_index=True),
        check_dtype=False,
    )
