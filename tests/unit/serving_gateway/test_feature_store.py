"""The chain of tiers: each is asked for what those before it did not have."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool
from structlog.testing import capture_logs

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion, Status
from foundation import clock
from foundation.errors import LimitExceeded
from foundation.settings import Settings
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.columns import Column, Found, nothing_of
from serving_gateway.deadline import Deadline
from serving_gateway.defaults import Defaults
from serving_gateway.feature_store import FeatureStore
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.loop_lag import LoopLag
from serving_gateway.rules_cache import RulesCache
from serving_gateway.served_sample import ServedSample
from serving_gateway.shadow_instruments import ShadowInstruments
from serving_gateway.shadows import Shadows
from serving_gateway.tiers import Tier
from serving_gateway.version_choice import VersionChoice, Wish

POPULARITY, FRESHNESS = "popularity_score", "product_freshness_score"
NAMES = [POPULARITY, FRESHNESS]
VERSIONS = {POPULARITY: "1.1.0", FRESHNESS: "1.0.0"}
Key = tuple[str, str]


class FakeTier:
    """Has some values by feature and entity, and remembers what it was asked for."""

    def __init__(
        self, name: str, has: Mapping[Key, bytes], *, age: timedelta | None = None
    ) -> None:
        self.name = name
        self.asked: list[dict[str, list[str]]] = []
        self.deadlines: list[Deadline] = []
        self._has = has
        self._age = age

    def serves(self, feature: FeatureVersion) -> bool:
        """Serve every feature."""
        return bool(feature)

    async def read(
        self,
        columns: Sequence[Column],
        *,
        is_timed: bool,  # noqa: ARG002 - it has its timestamps at hand
        deadline: Deadline,
    ) -> list[Found]:
        """Return what it has."""
        self.deadlines.append(deadline)
        self.asked.append({c.feature.feature_name: list(c.entity_ids) for c in columns})
        return [self._found(column) for column in columns]

    def _found(self, column: Column) -> Found:
        texts = [self._has.get((column.feature.feature_name, i)) for i in column.entity_ids]
        if self._age is None:
            return Found(texts)
        time: datetime = clock.now() - self._age
        return Found(texts, [None if text is None else time for text in texts])


class DeadTier(FakeTier):
    """Never has an answer."""

    def _found(self, column: Column) -> Found:
        return nothing_of(column, is_unavailable=True)


def _features(**changes: Any) -> list[FeatureVersion]:  # noqa: ANN401 - any field's value
    return [
        feature.model_copy(update=changes) if feature.feature_name == POPULARITY else feature
        for feature in gather_features()
    ]


async def _store(
    *tiers: Tier,
    instruments: Instruments | None = None,
    digest: LogDigest | None = None,
    features: Sequence[FeatureVersion] | None = None,
) -> FeatureStore:
    deployed = Catalog(features=features or gather_features(), services={})
    hour = timedelta(hours=1)
    catalog = CatalogCache(lambda: deployed, interval=hour, limit=hour)
    await catalog.refresh()
    instruments, digest = instruments or Instruments(), digest or LogDigest()
    settings = Settings(
        max_request_entities=3, max_request_features=2, request_timeout_seconds=20.0
    )
    rules = RulesCache(None, interval=hour)
    shadows = ShadowInstruments(instruments.registry)
    return FeatureStore(
        settings,
        catalog,
        VersionChoice(catalog, rules, instruments),
        tiers,
        Defaults(AsyncConnectionPool(open=False), catalog),
        instruments,
        [Shadows(rules, catalog, stored=tiers, computed=(), instruments=shadows, digest=digest)],
        ServedSample(settings, instruments, digest),
        digest,
        LoopLag(),
    )


async def test_each_tier_is_asked_for_what_is_missing() -> None:
    """Values come from the first tier that has them, and land in their places."""
    first = FakeTier("first", {(POPULARITY, "a"): b"0.5", (FRESHNESS, "b"): b"0.25"})
    second = FakeTier("second", {(FRESHNESS, "a"): b"0.75"})
    instruments = Instruments()
    store = await _store(first, second, instruments=instruments)
    answer = await store.read(["a", "b"], NAMES)
    assert first.asked == [{POPULARITY: ["a", "b"], FRESHNESS: ["a", "b"]}]
    assert second.asked == [{POPULARITY: ["b"], FRESHNESS: ["a"]}]
    assert [c.texts for c in answer.reading.columns] == [[b"0.5", b"0.1"], [b"0.75", b"0.25"]]
    assert answer.reading.counts == {"first": 2, "second": 1, "default": 1}
    assert not answer.reading.is_degraded
    exposed = instruments.exposition().decode()
    served = [(POPULARITY, "first"), (FRESHNESS, "second"), (POPULARITY, "default")]
    for name, tier in served:
        labels = f'feature_name="{name}",served_from="{tier}",version="{VERSIONS[name]}"'
        assert f"feature_requests_total{{{labels}}} 1.0" in exposed
    labels = f'feature_name="{POPULARITY}",tier="second",version="1.1.0"'
    assert f"feature_tier_misses_total{{{labels}}} 1.0" in exposed


async def test_a_complete_answer_asks_nobody_else() -> None:
    """Tiers below the one that had everything are left alone."""
    first, second = FakeTier("first", {(POPULARITY, "a"): b"1.0"}), FakeTier("second", {})
    answer = await (await _store(first, second)).read(["a"], NAMES[:1])
    assert second.asked == []
    assert answer.reading.counts == {"first": 1}


async def test_a_tier_that_cannot_answer_is_passed_over() -> None:
    """The next tier is asked for everything, and the answer tells."""
    answer = await (await _store(DeadTier("dead", {}))).read(["a", "b"], NAMES[:1])
    assert answer.reading.is_degraded
    assert answer.reading.columns[0].texts == [b"0.1", b"0.1"]


async def test_all_tiers_together_have_so_much_time() -> None:
    """As much as requests have, or as the caller says, be it more or less."""
    first, second = FakeTier("first", {}), FakeTier("second", {})
    store = await _store(first, second)
    await store.read(["a"], NAMES[:1])
    asked = Deadline(50.0)
    await store.read(["a"], NAMES[:1], deadline=asked)
    [common, callers] = first.deadlines
    assert second.deadlines == [common, callers]
    assert callers is asked
    assert 0 < common.limit(50.0) <= 20.0


async def test_a_stale_value_is_served_and_told_of() -> None:
    """A value beyond its tolerance is better than a default, and says how old it is."""
    instruments = Instruments()
    tier = FakeTier("offline", {(POPULARITY, "a"): b"0.5"}, age=timedelta(days=1))
    store = await _store(tier, instruments=instruments)
    answer = await store.read(["a"], NAMES[:1], is_timed=True)
    assert answer.reading.stale_count == 1
    assert b'"OUTSIDE_MAX_AGE"' in answer.origins()
    stale = 'feature_stale_values_total{feature_name="popularity_score",version="1.1.0"} 1.0'
    assert stale in instruments.exposition().decode()


async def test_misses_are_added_up_without_ids() -> None:
    """However many values are missing, one line tells how many of which feature."""
    digest = LogDigest()
    store = await _store(FakeTier("first", {}), digest=digest)
    for _ in range(3):
        await store.read(["secret-a", "secret-b"], NAMES[:1])
    with capture_logs() as logged:
        digest.flush()
        digest.flush()
    [event] = logged
    assert (event["event"], event["count"]) == ("feature_miss", 6)
    assert event["feature"] == "popularity_score==1.1.0"
    assert "secret" not in str(event)


async def test_deprecated_versions_are_served_and_counted() -> None:
    """Their use can be watched, and callers can be told."""
    instruments = Instruments()
    deprecated = _features(status=Status.DEPRECATED, deprecated_at=clock.now())
    store = await _store(FakeTier("first", {}), instruments=instruments, features=deprecated)
    answer = await store.read(["a"], NAMES, Wish(versions={POPULARITY: "1.0.0"}))
    assert [feature.reference for feature in answer.deprecated] == ["popularity_score==1.0.0"]
    counted = 'feature_deprecated_requests_total{feature_name="popularity_score",version="1.0.0"}'
    assert f"{counted} 1.0" in instruments.exposition().decode()


async def test_repeated_ids_and_names_count_once() -> None:
    """They are read once; their first place decides the order."""
    first = FakeTier("first", {(POPULARITY, "a"): b"1.0", (POPULARITY, "b"): b"2.0"})
    answer = await (await _store(first)).read(["b", "a", "b"], NAMES[:1] * 2)
    assert answer.entity_ids == ["b", "a"]
    assert first.asked == [{POPULARITY: ["b", "a"]}]


@pytest.mark.parametrize(
    ("entity_ids", "names", "mentioned"),
    [(list("abcd"), NAMES, "4 entities, 3 are"), (["a"], [*NAMES, "x"], "3 features, 2 are")],
)
async def test_limits_hold(entity_ids: list[str], names: list[str], mentioned: str) -> None:
    """One more than allowed is refused before any tier is asked."""
    first = FakeTier("first", {})
    with pytest.raises(LimitExceeded, match=mentioned):
        await (await _store(first)).read(entity_ids, names)
    assert first.asked == []
