"""Results that go to tables of PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from feast import FeatureStore
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    SavedDatasetPostgreSQLStorage,
)
from feast.infra.offline_stores.offline_store import RetrievalJob

from foundation.errors import ContractViolation, StoreUnavailable
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from tests.integration.feature_repo.offline_store.asking import AT, POPULARITY, write

_KILL_WHO_WAITS = """
SELECT pid, pg_terminate_backend(pid) FROM pg_locks
WHERE relation = 'saved_rows'::regclass AND NOT granted
"""


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


@pytest.mark.parametrize("table", ["Saved_Rows", '"Saved Rows"', "public.Saved_Rows"])
def test_names_are_as_sql_has_them(
    feast_store: FeatureStore, postgres: Connection, table: str
) -> None:
    """Small letters unless they are quoted: what is written under a name is read under it."""
    write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT))
    write(postgres, "user_category_affinity==1.0.0", ("u", {"B": 1.0}, AT))
    postgres.execute(f"DROP TABLE IF EXISTS {table}")
    postgres.commit()
    affinity = "user_category_affinity_v1_0_0:user_category_affinity"
    job = feast_store.get_historical_features(
        entity_df=pd.DataFrame({"product_id": ["a"], "user_id": ["u"], "event_timestamp": [AT]}),
        features=[POPULARITY, affinity],
    )
    storage = SavedDatasetPostgreSQLStorage(table)
    with pytest.warns(RuntimeWarning, match="experimental"):
        saved = feast_store.create_saved_dataset(
            from_=job, name="named", storage=storage, allow_overwrite=True
        )
    assert saved.to_df()["user_category_affinity"].tolist() == [{"B": 1.0}]
    stored = postgres.execute(f"SELECT popularity_score FROM {table}").fetchall()  # noqa: S608
    assert stored == [(0.25,)]


def test_what_is_no_name_is_refused(feast_store: FeatureStore) -> None:
    """Feast could not read the table."""
    job = _popularity(feast_store)
    with pytest.raises(ContractViolation, match="not a valid identifier"):
        job.persist(SavedDatasetPostgreSQLStorage("saved-rows"))


def test_an_interrupted_write_leaves_what_was_there(
    feast_store: FeatureStore, postgres: Connection, settings: Settings
) -> None:
    """Whoever writes is killed while it replaces a table that somebody reads."""
    postgres.execute("DROP TABLE IF EXISTS saved_rows; CREATE TABLE saved_rows AS SELECT 1 AS n")
    postgres.commit()
    rows = postgres.execute("SELECT n FROM saved_rows").fetchall()  # it is in use until commit
    job, storage = _popularity(feast_store), SavedDatasetPostgreSQLStorage("saved_rows")
    with ThreadPoolExecutor(1) as pool, connect(settings, autocommit=True) as watching:
        writing = pool.submit(job.persist, storage, allow_overwrite=True)
        while not writing.done() and not watching.execute(_KILL_WHO_WAITS).fetchone():
            pass
        with pytest.raises(StoreUnavailable, match="terminating connection"):
            writing.result()
    assert rows == postgres.execute("SELECT n FROM saved_rows").fetchall() == [(1,)]


def test_only_what_is_in_a_table_is_a_query(
    feast_store: FeatureStore, postgres: Connection
) -> None:
    """A saved dataset has SQL, a retrieval says that it has none."""
    job = _popularity(feast_store)
    with pytest.raises(ContractViolation, match="no query gives the result"):
        job.to_sql()
    storage = SavedDatasetPostgreSQLStorage("saved_rows")
    with pytest.warns(RuntimeWarning, match="experimental"):
        feast_store.create_saved_dataset(
            from_=job, name="queried", storage=storage, allow_overwrite=True
        )
    with pytest.warns(RuntimeWarning, match="experimental"):
        query = feast_store.get_saved_dataset("queried")._retrieval_job.to_sql()  # noqa: SLF001 - there is no other way
    assert len(postgres.execute(query).fetchall()) == 1


def _popularity(feast_store: FeatureStore) -> RetrievalJob:
    frame = pd.DataFrame({"product_id": ["a"], "event_timestamp": [AT]})
    return feast_store.get_historical_features(entity_df=frame, features=[POPULARITY])
