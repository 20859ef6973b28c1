"""Feast's own store, beside ours."""

import random
from datetime import timedelta

import pandas as pd
import pytest
from feast import FeatureStore
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres import (
    PostgreSQLOfflineStore,
)

from foundation.postgres import Connection
from tests.integration.feature_repo.history.asking import AT, FEATURES, write


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
