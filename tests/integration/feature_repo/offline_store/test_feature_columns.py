"""Columns of features: their names, types and values."""

import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureService, FeatureStore
from feast.errors import FeatureNameCollisionError

from foundation.postgres import Connection
from tests.integration.feature_repo.offline_store.asking import AT, POPULARITY, ask, write


def test_two_versions_of_one_feature(feast_store: FeatureStore, postgres: Connection) -> None:
    """They would be one column, which is refused; with full names they are two."""
    write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT))
    write(postgres, "popularity_score==1.1.0", ("a", 0.75, AT))
    both = [POPULARITY, "popularity_score_v1_1_0:popularity_score"]
    with pytest.raises(FeatureNameCollisionError, match="full_feature_names"):
        ask(feast_store, both, product_id=["a"])
    (row,) = ask(feast_store, both, full=True, product_id=["a"]).to_dict("records")
    assert row["popularity_score_v1_0_0__popularity_score"] == 0.25
    assert row["popularity_score_v1_1_0__popularity_score"] == 0.75


def test_maps_and_vectors_are_python_values(
    feast_store: FeatureStore, postgres: Connection
) -> None:
    """Maps are dictionaries, vectors are lists of floats."""
    write(postgres, "user_category_affinity==1.0.0", ("u", {"b": 1.0, "é": 0.5}, AT), ("v", {}, AT))
    write(postgres, "user_factors==1.0.0", ("u", [0.5, -0.25] * 32, AT))
    rows = ask(
        feast_store,
        [
            "user_category_affinity_v1_0_0:user_category_affinity",
            "user_factors_v1_0_0:user_factors",
        ],
        user_id=["u", "v", "w", "u"],
    )
    assert rows["user_category_affinity"].tolist() == [
        {"b": 1.0, "é": 0.5},
        {},
        None,
        {"b": 1.0, "é": 0.5},
    ]
    assert rows["user_factors"].tolist() == [[0.5, -0.25] * 32, None, None, [0.5, -0.25] * 32]


def test_arrow_has_the_features_types(feast_store: FeatureStore) -> None:
    """Even if nothing was found."""
    table = feast_store.get_historical_features(
        entity_df=pd.DataFrame({"user_id": ["u"], "product_id": ["p"], "event_timestamp": [AT]}),
        features=[
            POPULARITY,
            "user_factors_v1_0_0:user_factors",
            "user_category_affinity_v1_0_0:user_category_affinity",
        ],
    ).to_arrow()
    assert table.schema.types[-3:] == [
        pa.float64(),
        pa.list_(pa.float32()),
        pa.map_(pa.string(), pa.float64()),
    ]
    assert table.num_rows == 1


def test_one_view_for_two_entities_of_a_row(
    feast_store: FeatureStore, postgres: Connection
) -> None:
    """Under names of their own, by the columns that hold their keys."""
    write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT), ("b", 0.5, AT))
    view = feast_store.get_feature_view("popularity_score_v1_0_0")
    service = FeatureService(
        name="bought_after_seen",
        features=[
            view.with_name("seen").with_join_key_map({"product_id": "seen_id"}),
            view.with_name("bought").with_join_key_map({"product_id": "bought_id"}),
        ],
    )
    feast_store.apply(service)
    try:
        frame = pd.DataFrame(
            {"seen_id": ["a", "b", "a"], "bought_id": ["b", "c", "a"], "event_timestamp": [AT] * 3}
        )
        rows = feast_store.get_historical_features(
            entity_df=frame, features=service, full_feature_names=True
        ).to_arrow()
    finally:
        feast_store.delete_feature_service(service.name)
    assert rows["seen__popularity_score"].to_pylist() == [0.25, 0.5, 0.25]
    assert rows["bought__popularity_score"].to_pylist() == [0.5, None, 0.25]
