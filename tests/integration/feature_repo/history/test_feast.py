"""Feast's own calls, answered by our offline store."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureStore
from feast.errors import FeatureNameCollisionError
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres import (
    PostgreSQLOfflineStore,
)
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    SavedDatasetPostgreSQLStorage,
)

from feature_repo.history.terms import as_known_at
from feature_repo.registry.gather import gather_features
from foundation.errors import ContractViolation
from foundation.postgres import Connection
from tests.property.feature_repo.history.oracle import Written, store

FEATURES = {feature.reference: feature for feature in gather_features()}
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POPULARITY = "popularity_score_v1_0_0:popularity_score"
AFFINITY = "user_product_affinity_v1_0_0:user_product_affinity"


def _write(postgres: Connection, reference: str, *values: tuple[str, Any, datetime]) -> None:
    """Write values, each a moment after what it is about; of one feature after the other."""
    store(
        postgres,
        FEATURES[reference],
        [
            Written(entity_id, at, at + timedelta(seconds=1), value)
            for entity_id, value, at in values
        ],
        empty=False,
    )


def _ask(
    feast_store: FeatureStore,
    features: Sequence[str],
    *,
    full: bool = False,
    **columns: Any,  # noqa: ANN401
) -> pd.DataFrame:
    count = max(len(column) for column in columns.values())
    frame = pd.DataFrame({"event_timestamp": [AT] * count} | columns)
    rows: pd.DataFrame = feast_store.get_historical_features(
        entity_df=frame, features=list(features), full_feature_names=full
    ).to_df()
    return rows


def test_rows_come_back_as_they_were_given(feast_store: FeatureStore, postgres: Connection) -> None:
    """In their order, twice if given twice, with labels, and without values where none is known."""
    _write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT), ("b", 0.5, AT - HOUR))
    rows = _ask(
        feast_store,
        [POPULARITY],
        product_id=["b", "nobody", "a", "b", None],
        label=[1, 0, 1, 1, 0],
    )
    assert list(rows.columns) == ["event_timestamp", "product_id", "label", "popularity_score"]
    assert rows["product_id"].tolist() == ["b", "nobody", "a", "b", None]
    assert rows["label"].tolist() == [1, 0, 1, 1, 0]
    assert rows["popularity_score"].fillna(-1).tolist() == [0.5, -1, 0.25, 0.5, -1]


def test_no_pair_is_taken_for_another(feast_store: FeatureStore, postgres: Connection) -> None:
    """Keys that read the same once joined are different, whatever they hold."""
    _write(
        postgres,
        "user_product_affinity==1.0.0",
        ("1:23", 0.1, AT),
        ("12:3", 0.2, AT),
        ("u%3A:p", 0.3, AT),
        ("u:%3Ap", 0.4, AT),
    )
    rows = _ask(
        feast_store,
        [AFFINITY],
        user_id=["12", "1", "u:", "u", "123"],
        product_id=["3", "23", "p", ":p", ""],
    )
    assert rows["user_product_affinity"].fillna(-1).tolist() == [0.2, 0.1, 0.3, 0.4, -1]


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
    _write(postgres, "popularity_score==1.0.0", ("a", 0.1, AT - HOUR), ("a", 0.2, AT))
    rows = _ask(feast_store, [POPULARITY], product_id=["a", "a"], event_timestamp=timestamps)
    assert rows["popularity_score"].tolist() == [0.2, 0.1]
    assert rows["event_timestamp"].tolist() == [AT, AT - HOUR]


def test_two_versions_of_one_feature(feast_store: FeatureStore, postgres: Connection) -> None:
    """They would be one column, which is refused; with full names they are two."""
    _write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT))
    _write(postgres, "popularity_score==1.1.0", ("a", 0.75, AT))
    both = [POPULARITY, "popularity_score_v1_1_0:popularity_score"]
    with pytest.raises(FeatureNameCollisionError, match="full_feature_names"):
        _ask(feast_store, both, product_id=["a"])
    (row,) = _ask(feast_store, both, full=True, product_id=["a"]).to_dict("records")
    assert row["popularity_score_v1_0_0__popularity_score"] == 0.25
    assert row["popularity_score_v1_1_0__popularity_score"] == 0.75


def test_maps_and_vectors_are_python_values(
    feast_store: FeatureStore, postgres: Connection
) -> None:
    """Maps are dictionaries, vectors are lists of floats."""
    _write(
        postgres, "user_category_affinity==1.0.0", ("u", {"b": 1.0, "é": 0.5}, AT), ("v", {}, AT)
    )
    _write(postgres, "user_factors==1.0.0", ("u", [0.5, -0.25] * 32, AT))
    rows = _ask(
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


def test_entity_rows_from_sql(feast_store: FeatureStore, postgres: Connection) -> None:
    """Whatever PostgreSQL can select; naive timestamps are of UTC, numbers are numbers."""
    _write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT))
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


def test_without_entity_rows(feast_store: FeatureStore, postgres: Connection) -> None:
    """All that is stored of a time, with the other features as they were known then."""
    _write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT), ("b", 0.5, AT - 2 * HOUR))
    _write(postgres, "product_freshness_score==1.0.0", ("a", 0.75, AT - HOUR))
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


def test_late_values(feast_store: FeatureStore, postgres: Connection) -> None:
    """What was written after an instant is left out when asked for, corrections too."""
    feature = FEATURES["popularity_score==1.0.0"]
    store(
        postgres,
        feature,
        [
            Written("a", AT - HOUR, AT - HOUR, 0.1),
            Written("a", AT, AT + HOUR, 0.2, replaced=AT + 5 * HOUR),
            Written("a", AT, AT + 5 * HOUR, 0.3),
        ],
    )
    frame = pd.DataFrame({"product_id": ["a"], "event_timestamp": [AT]})

    def value(**options: Any) -> float:  # noqa: ANN401
        job = feast_store.get_historical_features(entity_df=frame, features=[POPULARITY], **options)
        return float(job.to_df()["popularity_score"][0])

    assert value() == 0.3
    assert value(filter_by_created_timestamp=True) == 0.1
    for known_at, expected in ((AT, 0.1), (AT + HOUR, 0.2), (AT + 5 * HOUR, 0.3)):
        with as_known_at(known_at):
            assert value() == expected
    with pytest.raises(ContractViolation, match="no time zone"), as_known_at(datetime(2026, 6, 1)):  # noqa: DTZ001
        pass


def test_a_correction_is_remembered(feast_store: FeatureStore, postgres: Connection) -> None:
    """The history keeps what it said before, without anybody's help."""
    _write(postgres, "popularity_score==1.0.0", ("a", 0.1, AT))
    postgres.execute(
        "UPDATE feature_values SET feature_value = '0.2', created_at = %s", (AT + 2 * HOUR,)
    )
    postgres.commit()
    frame = pd.DataFrame({"product_id": ["a"], "event_timestamp": [AT]})
    for known_at, expected in ((AT + HOUR, 0.1), (AT + 2 * HOUR, 0.2)):
        with as_known_at(known_at):
            job = feast_store.get_historical_features(entity_df=frame, features=[POPULARITY])
        assert job.to_df()["popularity_score"].tolist() == [expected]


def test_saved_datasets(feast_store: FeatureStore, postgres: Connection) -> None:
    """A result goes to a table of PostgreSQL and comes back; an existing one is not overwritten."""
    _write(postgres, "popularity_score==1.0.0", ("a", 0.25, AT), ("b", 0.5, AT))
    _write(postgres, "user_category_affinity==1.0.0", ("u", {"b": 1.0}, AT))
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


def test_columns_that_are_missing_or_in_the_way(feast_store: FeatureStore) -> None:
    """The error names the column and says what to do."""
    with pytest.raises(ContractViolation, match="no column 'product_id'"):
        _ask(feast_store, [POPULARITY], product=["a"])
    with pytest.raises(ContractViolation, match="already, like the feature"):
        _ask(feast_store, [POPULARITY], product_id=["a"], popularity_score=[1.0])
    with pytest.raises(ContractViolation, match="ids are texts"):
        _ask(feast_store, [POPULARITY], product_id=[1.5])
    with pytest.raises(ContractViolation, match="no column 'event_timestamp'"):
        feast_store.get_historical_features(
            entity_df=pd.DataFrame({"product_id": ["a"]}), features=[POPULARITY]
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
        _write(postgres, reference, *written)
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
