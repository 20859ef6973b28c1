"""What PostgreSQL does not hold comes out of historical retrieval all the same."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from feast import FeatureStore
from psycopg import sql

from feature_repo.history.terms import as_known_at
from feature_repo.registry.gather import gather_features
from foundation.postgres import Connection
from foundation.settings import Settings
from tests.integration.transformations.written import write_history
from transformations.computations.factor_scores import pair_scores

FEATURES = {feature.reference: feature for feature in gather_features()}
MIDNIGHT = datetime(2026, 6, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
AFFINITY = "user_product_affinity_v1_0_0:user_product_affinity"


def _ask(feast_store: FeatureStore, rows: pd.DataFrame, *features: str) -> pd.DataFrame:
    job = feast_store.get_historical_features(entity_df=rows, features=list(features))
    frame: pd.DataFrame = job.to_df()
    return frame


def test_affinities_follow_from_the_factors_of_their_time(
    feast_store: FeatureStore, settings: Settings
) -> None:
    """Of pairs that are not stored; those that are stay what they are."""
    factors = {"old": [0.25] * 64, "new": [0.5] * 64, "product": [0.1] * 32 + [0.3] * 32}
    for at, user in ((MIDNIGHT, "old"), (MIDNIGHT + DAY, "new")):
        write_history(
            settings, FEATURES["user_factors==1.0.0"], at, u=factors[user], v=factors[user]
        )
        write_history(settings, FEATURES["product_factors==1.0.0"], at, p=factors["product"])
    affinity = FEATURES["user_product_affinity==1.0.0"]
    write_history(settings, affinity, MIDNIGHT + DAY, **{"v:p": 0.75})
    rows = pd.DataFrame(
        [
            ("u", "p", MIDNIGHT + HOUR),
            ("u", "p", MIDNIGHT + DAY),
            ("v", "p", MIDNIGHT + DAY),
            ("u", "unknown", MIDNIGHT + DAY),
            ("u", "p", MIDNIGHT - HOUR),
            ("v", "p", MIDNIGHT + HOUR),
            ("u", "p", MIDNIGHT + HOUR),
        ],
        columns=["user_id", "product_id", "event_timestamp"],
    )
    found = _ask(feast_store, rows, AFFINITY)["user_product_affinity"]
    old, new = (
        float(pair_scores([factors[user]], [factors["product"]])[0]) for user in ("old", "new")
    )
    assert found.astype(object).where(found.notna(), None).tolist() == [
        old,
        new,
        0.75,
        None,
        None,
        old,
        old,
    ]


def test_search_scores_take_their_query_from_a_column(
    feast_store: FeatureStore, postgres: Connection
) -> None:
    """Of products as they were: none that came later, none that was changed since."""
    with postgres.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO products VALUES (%s, %s, '', 'c', 1, %s, %s)",
            [
                ("there", "red cheese", MIDNIGHT - DAY, MIDNIGHT - DAY),
                ("later", "red cheese", MIDNIGHT + DAY, MIDNIGHT + DAY),
                ("changed", "red cheese", MIDNIGHT - DAY, MIDNIGHT + HOUR),
            ],
        )
    postgres.commit()
    rows = pd.DataFrame(
        {
            "product_id": ["there", "there", "later", "changed", "changed", "there", "unknown"],
            "query": ["cheese", "ham", "cheese", "cheese", "cheese", "che\0ese", "cheese"],
            "event_timestamp": [MIDNIGHT, MIDNIGHT, MIDNIGHT, MIDNIGHT, MIDNIGHT + DAY]
            + [MIDNIGHT] * 2,
        }
    )
    service = feast_store.get_feature_service("search_v1")
    job = feast_store.get_historical_features(entity_df=rows, features=service)
    found = job.to_df()["search_keyword_score"]
    score = found[0]
    assert score > 0
    assert found.astype(object).where(found.notna(), None).tolist() == [
        *(score, 0.0, None, None, score, None, None)
    ]
    with as_known_at(MIDNIGHT):
        assert (
            _ask(feast_store, rows, "search_keyword_score_v1_0_0:search_keyword_score")[
                "search_keyword_score"
            ].tolist()[4]
            != score
        )


def _update_product(postgres: Connection, at: datetime, **columns: Any) -> None:  # noqa: ANN401
    """Change a product as the shop would: in a transaction of its own, with a new updated_at."""
    values = {**columns, "updated_at": at}
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = %s").format(sql.Identifier(column)) for column in values
    )
    postgres.execute(sql.SQL("UPDATE products SET {}").format(assignments), list(values.values()))
    postgres.commit()


def test_search_scores_are_of_the_words_of_their_time(
    feast_store: FeatureStore, postgres: Connection
) -> None:
    """A new title does not change the past, nor does a new price what is known of it."""
    postgres.execute(
        "INSERT INTO products VALUES ('p', 'red cheese', '', 'c', 1, %(at)s, %(at)s)",
        {"at": MIDNIGHT},
    )
    _update_product(postgres, MIDNIGHT + 2 * HOUR, price=2)
    _update_product(postgres, MIDNIGHT + 4 * HOUR, title="blue ham")
    known_at = postgres.execute("SELECT clock_timestamp()").fetchone()
    postgres.commit()
    assert known_at is not None
    rows = pd.DataFrame(
        {
            "product_id": "p",
            "query": "cheese",
            "event_timestamp": [MIDNIGHT + hours * HOUR for hours in (-1, 1, 3, 5)],
        }
    )
    search = "search_keyword_score_v1_0_0:search_keyword_score"
    found = _ask(feast_store, rows, search)["search_keyword_score"].tolist()
    assert math.isnan(found[0])
    assert found[1] == found[2] > found[3] == 0.0
    # Somebody finds out that it has been ham all the time.
    _update_product(postgres, MIDNIGHT, title="blue ham", description="smoked")
    assert _ask(feast_store, rows, search)["search_keyword_score"].tolist()[1:] == [0.0, 0.0, 0.0]
    with as_known_at(known_at[0]):
        assert _ask(feast_store, rows, search)["search_keyword_score"].tolist()[1:] == found[1:]
    then = feast_store.get_historical_features(
        entity_df=rows, features=[search], filter_by_created_timestamp=True
    )
    assert then.to_df()["search_keyword_score"].isna().all()  # it was written long after
