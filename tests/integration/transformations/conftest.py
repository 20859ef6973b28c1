"""A small shop whose features can be computed."""

from datetime import UTC, datetime, timedelta

import pytest

from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import connect
from foundation.settings import Settings

AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def shop(settings: Settings) -> Settings:
    """Settings of stores with 4 products, 2 users and 40 purchases before AS_OF."""
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO products VALUES (%s, 't', 'd', %s, 1.0, %s, %s)",
            [
                (f"p:{n}", category, AS_OF - timedelta(days=90), AS_OF)
                for n, category in enumerate(["books", "books", "toys", "toys"])
            ],
        )
        cursor.executemany(
            "INSERT INTO users VALUES (%s, %s)",
            [(f"u{n}", AS_OF - timedelta(days=90)) for n in range(2)],
        )
        cursor.executemany(
            "INSERT INTO events VALUES (%s, %s, %s, 'purchase', %s)",
            [(str(n), f"u{n % 2}", f"p:{n % 3}", AS_OF - timedelta(hours=n)) for n in range(1, 41)],
        )
    return settings


@pytest.fixture
def popularity() -> FeatureVersion:
    """Return popularity_score 1.0.0, expecting nothing of the mean of so small a shop."""
    feature = next(f for f in gather_features() if f.reference == "popularity_score==1.0.0")
    return feature.model_copy(
        update={"expectations": feature.expectations.model_copy(update={"mean_between": None})}
    )


@pytest.fixture
def affinity() -> FeatureVersion:
    """Return user_category_affinity 1.0.0."""
    return next(f for f in gather_features() if f.reference == "user_category_affinity==1.0.0")
