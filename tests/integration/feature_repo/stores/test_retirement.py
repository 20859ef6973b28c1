"""What retired versions leave behind is removed, once they can't come back."""

from datetime import timedelta

import redis

from feature_repo.registry import lifecycle
from feature_repo.registry.gather import gather_features
from feature_repo.stores.feature_use import ADD_REQUESTS, requests_since
from feature_repo.stores.keys import redis_keys
from foundation import clock
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from tests.property.feature_repo.history.oracle import Written, store
from transformations import retirement

FEATURES = {feature.reference: feature for feature in gather_features()}
OLD, KEPT = FEATURES["popularity_score==1.0.0"], FEATURES["popularity_score==1.1.0"]
DAY = timedelta(days=1)


def test_old_values_go_and_others_stay(
    settings: Settings, postgres: Connection, valkey: redis.Redis
) -> None:
    """From both stores, in steps; a second time there is nothing left to do."""
    now = clock.now()
    for number, feature in enumerate((OLD, KEPT)):
        store(postgres, feature, [Written("p1", now, now, 0.5)], empty=number == 0)
        valkey.set(redis_keys(feature.feature_name, feature.version, ["p1"])[0], "0.5", ex=60)
    postgres.execute(
        "INSERT INTO feature_values (entity_id, feature_name, feature_value, version, timestamp) "
        "SELECT 'e' || n, %s, '1', %s, %s FROM generate_series(1, 10500) AS n",
        (OLD.feature_name, OLD.version, now),
    )
    postgres.commit()
    lately, long_ago = (lifecycle.retire(OLD, now=now - days * DAY) for days in (6, 8))
    assert retirement.remove_retired(settings, [lately, KEPT], now=now) == []
    steps: list[int] = []
    [removed] = retirement.remove_retired(
        settings, [long_ago, KEPT], now=now, on_progress=steps.append
    )
    assert removed.feature == long_ago
    assert removed.online == 1
    assert removed.offline == sum(steps) >= 10_501
    assert max(steps) <= 10_000
    assert retirement.remove_retired(settings, [long_ago, KEPT], now=now) == []
    assert len(valkey.keys("feature:*")) == 1
    with connect(settings) as connection:
        left = connection.execute("SELECT DISTINCT version FROM feature_values").fetchall()
    assert left == [(KEPT.version,)]


def test_use_adds_up_by_day(settings: Settings, postgres: Connection) -> None:
    """Of several gateways, and over days."""
    today = clock.now().date()
    for day, requests in ((today, 3), (today, 4), (today - DAY, 5), (today - 9 * DAY, 6)):
        served = {"feature_names": [OLD.feature_name], "versions": [OLD.version]}
        postgres.execute(ADD_REQUESTS, {**served, "requests": [requests], "day": day})
    postgres.commit()
    assert requests_since(settings, OLD, since=today - 7 * DAY) == 12
    assert requests_since(settings, KEPT, since=today - 7 * DAY) == 0
