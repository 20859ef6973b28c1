"""Results that go to tables of PostgreSQL."""

import pandas as pd
import pytest
from feast import FeatureStore
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    SavedDatasetPostgreSQLStorage,
)

from foundation.errors import ContractViolation
from foundation.postgres import Connection
from tests.integration.feature_repo.history.asking import AT, POPULARITY, write


def test_saved_datasets(feast_store: FeatureStore, postgres: Connection) -> None:
    """A result goes to a table of PostgreSQL and comes back; an existing one is not overwritten."""
    write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT), ("b", 0.5, AT))
    write(postgres, "user_category_affinity==1.0.0", ("u", {"b": 1.0}, AT))
    frame = pd.DataFrame(
        {"product_id": ["a", "b"], "user_id": ["u", "v"], "event_timestamp": [AT, AT], "n": [1, 2]}
    )
    job = feast_store.get_historical_features(
        entity_df=frame,
        features=[POPULARITY, "user_category_affinity_v1_0_0:user_category_affinity"],
    )
    storage = SavedDatasetPostgreSQLStorage("saved_rows")
    postgres.execute("DROP TABLE IF EXISTS saved_rows")
    postgres.commit()
    with pytest.warns(RuntimeWarning, match="experimental"):
        feast_store.create_saved_dataset(from_=job, name="saved", storage=storage)
    stored = postgres.execute(
        "SELECT product_id, n, popularity_score, user_category_affinity, event_timestamp "
        "FROM saved_rows ORDER BY 1"
    ).fetchall()
    assert stored == [("a", 1, 0.25, {"b": 1.0}, AT), ("b", 2, 0.5, None, AT)]
    postgres.commit()
    with pytest.warns(RuntimeWarning, match="experimental"):
        dataset = feast_store.get_saved_dataset("saved")
    loaded = dataset.to_df().sort_values("product_id")
    assert loaded["popularity_score"].tolist() == [0.25, 0.5]
    assert loaded["user_category_affinity"].tolist() == [{"b": 1.0}, None]
    with pytest.raises(ContractViolation, match="already exists"):
        job.persist(storage)
    job.persist(storage, allow_overwrite=True)
