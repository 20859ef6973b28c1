"""Months of the history come when they are needed, and stay while they are written to."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import errors

from feature_repo.registry.gather import gather_features
from feature_repo.stores.partitions import keep_months, months
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from tests.integration.lock_waits import wait_until_it_waits
from tests.integration.transformations.written import write_history

POPULARITY = next(f for f in gather_features() if f.reference == "popularity_score==1.0.0")
# A month so long ago that no other test has one like it.
MONTH = "feature_values_2019_02"
OLD = datetime(2019, 2, 28, 23, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def without_old_month(postgres: Connection) -> Connection:
    """Return a connection to a database that lacks a month."""
    postgres.execute(f"DROP TABLE IF EXISTS {MONTH}")
    postgres.commit()
    return postgres


def test_a_new_month_makes_nobody_wait(settings: Settings, without_old_month: Connection) -> None:
    """Neither who reads the history nor who writes to it; only who creates the same month."""
    write_history(settings, POPULARITY, NOW, a=0.1)
    with connect(settings) as reading, connect(settings) as first, ThreadPoolExecutor(1) as pool:
        reading.execute("SELECT * FROM feature_values")
        first.execute("SET LOCAL lock_timeout = '1s'")
        keep_months(first, [OLD])
        write_history(settings, POPULARITY, NOW + HOUR, a=0.2)
        second = pool.submit(write_history, settings, POPULARITY, OLD, a=0.3)
        wait_until_it_waits(settings, second)
        assert not second.done()
        first.commit()
        second.result()
    assert MONTH in [month.name for month in months(without_old_month)]
    row = without_old_month.execute(f"SELECT feature_value FROM {MONTH}").fetchone()  # noqa: S608
    assert row == (0.3,)


def test_a_new_month_is_like_the_others(settings: Settings, without_old_month: Connection) -> None:
    """A value is there once, and what replaces it is remembered."""
    write_history(settings, POPULARITY, OLD, a=0.1)
    write_history(settings, POPULARITY, OLD, a=0.2)
    for table, value in (("feature_values", 0.2), ("replaced_values", 0.1)):
        rows = without_old_month.execute(f"SELECT feature_value FROM {table}").fetchall()  # noqa: S608
        assert rows == [(value,)]


def test_a_month_that_is_written_to_is_not_dropped(
    settings: Settings, without_old_month: Connection
) -> None:
    """From when the writer has seen to it until its transaction ends."""
    write_history(settings, POPULARITY, OLD, a=0.1)
    with connect(settings) as writing:
        writing.execute("SET LOCAL lock_timeout = '1s'")
        keep_months(writing, [OLD, NOW])
        without_old_month.execute("SET LOCAL lock_timeout = '1s'")
        with pytest.raises(errors.LockNotAvailable):
            without_old_month.execute(f"ALTER TABLE feature_values DETACH PARTITION {MONTH}")


def test_another_schema_has_months_of_its_own(postgres: Connection) -> None:
    """Another store's in one database, or a copy of the tables."""
    before = months(postgres)
    postgres.execute("CREATE SCHEMA another")
    postgres.execute("CREATE TABLE another.feature_values (n int) PARTITION BY RANGE (n)")
    postgres.execute(
        "CREATE TABLE another.few PARTITION OF another.feature_values FOR VALUES FROM (1) TO (2)"
    )
    found = months(postgres)
    postgres.rollback()
    assert found == before
