"""What retired versions leave behind is removed, once they can't come back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import redis
from feast import FeatureStore
from typer.testing import CliRunner

from feature_repo.cli import app
from feature_repo.registry import lifecycle
from feature_repo.registry.catalog import REPO_PATH, Catalog, read_catalog
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.registry.views import feature_view
from feature_repo.stores import retirement
from feature_repo.stores.feature_use import ADD_REQUESTS, requests_since
from feature_repo.stores.keys import redis_keys
from feature_repo.stores.partitions import month_of
from feature_repo.stores.stored_versions import stored_references
from foundation import clock
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from tests.histories import Written, store
from tests.integration.lock_waits import wait_until_it_waits
from tests.integration.transformations.written import write_history

FEATURES = {feature.reference: feature for feature in gather_features()}
OLD, KEPT = FEATURES["popularity_score==1.0.0"], FEATURES["popularity_score==1.1.0"]
DAY = timedelta(days=1)
# A month that no other test has values of.
LONG_AGO = datetime(2019, 5, 1, tzinfo=UTC)


NOW = clock.now()


@pytest.fixture
def filled(settings: Settings, postgres: Connection, valkey: redis.Redis) -> Settings:
    """Return settings of stores that hold values of two versions, of one of them more."""
    for number, feature in enumerate((OLD, KEPT)):
        store(postgres, feature, [Written("p1", NOW, NOW, 0.5)], empty=number == 0)
        valkey.set(redis_keys(feature.feature_name, feature.version, ["p1"])[0], "0.5", ex=60)
    postgres.execute(
        "INSERT INTO feature_latest (entity_id, feature_name, feature_value, version, timestamp) "
        "VALUES ('p1', %s, '0.5', %s, %s)",
        (OLD.feature_name, OLD.version, NOW),
    )
    postgres.execute(
        "INSERT INTO feature_values (entity_id, feature_name, feature_value, version, timestamp) "
        "SELECT 'e' || n, %s, '1', %s, %s FROM generate_series(1, 2000) AS n",
        (OLD.feature_name, OLD.version, NOW),
    )
    postgres.commit()
    return settings


def retired_for(days: int) -> FeatureVersion:
    """Return the old version, retired for some days."""
    return lifecycle.retire(OLD, now=NOW).with_changes(retired_at=NOW - days * DAY)


def left(settings: Settings) -> dict[str, int]:
    """Return how many values of the history there are, by version."""
    with connect(settings) as connection:
        rows = connection.execute("SELECT version, count(*) FROM feature_values GROUP BY 1")
        return dict(rows.fetchall())


def test_only_versions_that_cannot_come_back_leave_something_over(filled: Settings) -> None:
    """Not those that are live, or were retired within a week."""
    lately, long_ago = (retired_for(days) for days in (6, 8))
    assert retirement.leftovers(filled, [lately, KEPT], now=NOW) == []
    [leftover] = retirement.leftovers(filled, [long_ago, KEPT], now=NOW)
    assert leftover == retirement.Leftover(OLD.reference, 2_002)
    assert left(filled) == {OLD.version: 2_001, KEPT.version: 1}


def test_old_values_go_and_others_stay(filled: Settings, valkey: redis.Redis) -> None:
    """From both stores, in steps; a second time there is nothing left to do."""
    steps: list[int] = []
    removed = retirement.remove_values(filled, OLD.reference, on_progress=steps.append)
    assert removed == retirement.Removed(OLD.reference, online=1, offline=2_002)
    assert sum(steps) == 2_002
    assert max(steps) <= 1_000
    assert left(filled) == {KEPT.version: 1}
    assert valkey.keys("feature:*") == [
        key.encode() for key in redis_keys(KEPT.feature_name, KEPT.version, ["p1"])
    ]
    assert retirement.remove_values(filled, OLD.reference) == retirement.Removed(
        OLD.reference, online=0, offline=0
    )


def test_what_was_stopped_goes_on(filled: Settings) -> None:
    """Whatever a step has removed stays removed."""

    class StoppedError(Exception):
        """Somebody pressed Ctrl-C."""

    steps: list[int] = []

    def stop_in_the_second(rows: int) -> None:
        steps.append(rows)
        if len(steps) == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        retirement.remove_values(filled, OLD.reference, on_progress=stop_in_the_second)
    assert left(filled)[OLD.version] == 2_002 - sum(steps)
    assert retirement.remove_values(filled, OLD.reference).offline == 2_002 - sum(steps)


def test_a_month_that_is_being_archived_is_waited_for(filled: Settings) -> None:
    """By nobody who could keep it from being dropped; once it is, there is nothing to remove."""
    write_history(filled, OLD, LONG_AGO, a=0.1)
    month = month_of(LONG_AGO).name
    with ThreadPoolExecutor(1) as pool, connect(filled) as archiving:
        archiving.execute(f"LOCK TABLE {month} IN SHARE MODE")
        removing = pool.submit(retirement.remove_values, filled, OLD.reference)
        wait_until_it_waits(filled, removing)
        assert not removing.done()
        archiving.execute("SET LOCAL lock_timeout = '1s'")
        archiving.execute(f"ALTER TABLE feature_values DETACH PARTITION {month}")
        archiving.execute(f"DROP TABLE {month}")
        archiving.commit()
        assert removing.result().offline == 2_003
    assert left(filled) == {KEPT.version: 1}


@pytest.fixture
def retired(applied: Settings) -> Iterator[Settings]:
    """Yield settings of a registry in which a version was retired eight days ago."""
    registry = FeatureStore(repo_path=str(REPO_PATH))
    deployed = registry.get_feature_view(OLD.view_name)
    facts = read_catalog().computations[OLD.reference]
    registry.apply([feature_view(retired_for(days=8), facts)])
    yield applied
    registry.apply([deployed])


@pytest.mark.usefixtures("retired")
def test_the_command_tells_first_and_then_removes(filled: Settings) -> None:
    """And says when there is nothing to do."""
    run = CliRunner().invoke
    assert "2,002 rows would be removed" in run(app, ["remove-retired", "--dry-run"]).output
    assert left(filled)[OLD.version] == 2_001
    assert "2,002 rows, 1 keys removed" in run(app, ["remove-retired"]).output
    assert "Nothing is left" in run(app, ["remove-retired"]).output


def test_values_that_nobody_defines_are_told_of_and_kept(
    filled: Settings, applied: Settings, postgres: Connection
) -> None:
    """Until somebody says that it is no mistake."""
    assert applied == filled
    for table in ("feature_values", "feature_latest"):
        postgres.execute(
            f"UPDATE {table} SET version = '0.9.0' WHERE version = %s",  # noqa: S608 - our own
            (OLD.version,),
        )
    postgres.execute("DELETE FROM replaced_values")  # as if it had been that version all along
    postgres.commit()
    unknown = "popularity_score==0.9.0"
    assert stored_references(postgres) == {KEPT.reference, unknown}
    unreadable = Catalog([KEPT], {}, unreadable={"popularity_score_v0_9_0": "odd"})
    assert retirement.unknown_leftovers(filled, unreadable) == []
    run = CliRunner().invoke
    told = run(app, ["remove-retired"]).output
    assert "Nothing is left of retired versions" in told
    assert f"{unknown}: 2,002 rows of a version that nobody defines" in told
    assert left(filled) == {"0.9.0": 2_001, KEPT.version: 1}
    assert (
        f"{unknown}: 2,002 rows, 0 keys removed" in run(app, ["remove-retired", "--unknown"]).output
    )
    assert left(filled) == {KEPT.version: 1}


def test_use_adds_up_by_day(postgres: Connection) -> None:
    """Of several gateways, and over days."""
    today = clock.now().date()
    for day, requests in ((today, 3), (today, 4), (today - DAY, 5), (today - 9 * DAY, 6)):
        served = {"feature_names": [OLD.feature_name], "versions": [OLD.version]}
        postgres.execute(ADD_REQUESTS, {**served, "requests": [requests], "day": day})
    postgres.commit()
    assert requests_since(postgres, today - 7 * DAY) == {OLD.reference: 12}
