"""The chain of tiers: each is asked for what those before it did not have."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from psycopg_pool import AsyncConnectionPool
from structlog.testing import capture_logs

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion, Status
from foundation import clock
from foundation.errors import ContractViolation, LimitExceeded
from foundation.settings import Settings
from serving_gateway.candidates import Candidates
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.columns import Column, Found, nothing_of
from serving_gateway.deadline import Deadline
from serving_gateway.defaults import Defaults
from serving_gateway.exposures import ExposureInstruments, Exposures
from serving_gateway.feature_store import FeatureStore
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.loop_lag import LoopLag
from serving_gateway.reading_log import ReadingLog
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
    services: Mapping[str, Sequence[str]] | None = None,
    rules: RulesCache | None = None,
) -> FeatureStore:
    deployed = Catalog(features=features or gather_features(), services=services or {})
    hour = timedelta(hours=1)
    catalog = CatalogCache(lambda: deployed, interval=hour, limit=hour)
    await catalog.refresh()
    instruments, digest = instruments or Instruments(), digest or LogDigest()
    settings = Settings(
        max_request_entities=3, max_request_features=2, request_timeout_seconds=20.0
    )
    rules = rules or RulesCache(None)
    shadows = ShadowInstruments(instruments.registry)
    return FeatureStore(
        settings,
        catalog,
        VersionChoice(catalog, rules, digest),
        tiers,
        Defaults(AsyncConnectionPool(open=False), catalog),
        [
            instruments.readings,
            ReadingLog(digest),
            Shadows(rules, catalog, stored=tiers, computed=(), instruments=shadows, digest=digest),
            ServedSample(settings, instruments, digest),
        ],
        Exposures(settings, ExposureInstruments(instruments.metrics), digest),
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
    instruments, digest = Instruments(), LogDigest()
    deprecated = _features(status=Status.DEPRECATED, deprecated_at=clock.now())
    store = await _store(
        FakeTier("first", {}), instruments=instruments, digest=digest, features=deprecated
    )
    with structlog.contextvars.bound_contextvars(caller="key:3f9a (search-team)"):
        answer = await store.read(["secret"], NAMES, Wish(versions={POPULARITY: "1.0.0"}))
    assert [feature.reference for feature in answer.reading.selection.deprecated] == [
        "popularity_score==1.0.0"
    ]
    counted = 'feature_deprecated_requests_total{feature_name="popularity_score",version="1.0.0"}'
    assert f"{counted} 1.0" in instruments.exposition().decode()
    with capture_logs() as logged:
        digest.flush()
    [event] = [each for each in logged if each["event"] == "deprecated_version_served"]
    assert event["feature"] == "popularity_score==1.0.0"
    assert event["caller"] == "key:3f9a (search-team)"
    assert "secret" not in str(logged)


async def test_what_nobody_was_asked_for_is_no_miss() -> None:
    """A user that the request does not name is no user without values."""
    instruments = Instruments()
    store = await _store(
        FakeTier("first", {(POPULARITY, "a"): b"0.5"}),
        instruments=instruments,
        services={"s_v1": [f"{POPULARITY}==1.1.0", "user_category_affinity==1.0.0"]},
    )
    answer = await store.read_service("s_v1", Candidates(["a", "b"]))
    assert answer.reading.counts == {"first": 1, "default": 1, "not_asked": 1}
    assert b'"NOT_FOUND"' in answer.origins()
    exposed = instruments.exposition().decode()
    labels = 'feature_name="user_category_affinity"'
    assert f'feature_not_asked_total{{{labels},version="1.0.0"}} 1.0' in exposed
    assert f"feature_requests_total{{{labels}" not in exposed


async def test_each_feature_has_its_latency() -> None:
    """That of the tiers that were asked for its values."""
    instruments = Instruments()
    first = FakeTier("first", {(POPULARITY, "a"): b"0.5"})
    store = await _store(first, FakeTier("second", {}), instruments=instruments)
    await store.read(["a"], NAMES)
    instruments.hand_over()
    counts = {
        (name, tier): instruments.registry.get_sample_value(
            "feature_retrieval_duration_seconds_count", {"feature_name": name, "tier": tier}
        )
        for name in NAMES
        for tier in ("first", "second")
    }
    assert counts == {
        (POPULARITY, "first"): 1.0,
        (POPULARITY, "second"): None,
        (FRESHNESS, "first"): 1.0,
        (FRESHNESS, "second"): 1.0,
    }


def _experiment(folder: Path) -> RulesCache:
    path = folder / "rules.yaml"
    path.write_text(
        """
experiments:
  - name: trending
    salt: a
    start: 2026-01-01T00:00:00Z
    end: 2999-01-01T00:00:00Z
    variants:
      - {name: control, weight: 1}
      - {name: new, weight: 1, versions: {popularity_score: 2.0.0}}
    forced: {tester: new}
"""
    )
    return RulesCache(path)


async def test_an_exposure_follows_the_answer(tmp_path: Path) -> None:
    """Who was refused was exposed to nothing."""
    instruments = Instruments()
    store = await _store(
        FakeTier("first", {}), instruments=instruments, rules=_experiment(tmp_path)
    )
    answer = await store.read(["a"], NAMES, Wish(user_id="tester"))
    assert answer.reading.selection.variants == {"trending": "new"}
    names = [POPULARITY, "user_product_affinity"]
    with pytest.raises(ContractViolation):
        await store.read(["a"], names, Wish(user_id="tester"))
    counted = 'feature_experiment_exposures_total{experiment="trending",variant="new"} 1.0'
    assert counted in instruments.exposition().decode()


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
