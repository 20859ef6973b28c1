"""The chain of tiers: each is asked for what those before it did not have."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features
from foundation.errors import LimitExceeded, StoreUnavailable
from foundation.settings import Settings
from serving_gateway.batch import Batch
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.feature_store import FeatureStore
from serving_gateway.instrumentation import Instruments
from serving_gateway.rules_cache import RulesCache
from serving_gateway.tiers import Tier
from serving_gateway.tiers.default import DefaultTier
from serving_gateway.version_choice import VersionChoice

NAMES = ["popularity_score", "product_freshness_score"]
VERSIONS = {"popularity_score": "1.1.0", "product_freshness_score": "1.0.0"}


class FakeTier:
    """Has some values by position, and remembers what it was asked for."""

    def __init__(self, name: str, has: Mapping[int, bytes]) -> None:
        self.name = name
        self.asked: list[list[int]] = []
        self._has = has

    async def read(self, _: Batch, positions: Sequence[int]) -> list[bytes | None]:
        """Return what it has."""
        self.asked.append(list(positions))
        return [self._has.get(position) for position in positions]


class DeadTier:
    """Never answers."""

    name = "dead"

    async def read(self, _: Batch, __: Sequence[int]) -> list[bytes | None]:
        """Fail."""
        raise StoreUnavailable("it is down")


async def _store(*tiers: Tier, instruments: Instruments | None = None) -> FeatureStore:
    catalog = CatalogCache(
        lambda: Catalog(features=gather_features(), services={}), interval=timedelta(hours=1)
    )
    await catalog.refresh()
    settings = Settings(max_request_entities=3, max_request_features=2)
    instruments = instruments or Instruments()
    rules = RulesCache(None, interval=timedelta(hours=1))
    versions = VersionChoice(catalog, rules, instruments)
    return FeatureStore(settings, catalog, versions, tiers, instruments)


async def test_each_tier_is_asked_for_what_is_missing() -> None:
    """Values come from the first tier that has them, and land in their places."""
    first = FakeTier("first", {0: b"0.5", 3: b"0.25"})
    second = FakeTier("second", {1: b"0.75"})
    instruments = Instruments()
    store = await _store(first, second, DefaultTier(), instruments=instruments)
    answer = await store.read(["a", "b"], NAMES)
    assert (first.asked, second.asked) == ([[0, 1, 2, 3]], [[1, 2]])
    assert answer.texts == [b"0.5", b"0.75", b"0.1", b"0.25"]
    assert answer.counts == {"first": 2, "second": 1, "default": 1}
    assert not answer.degraded
    exposed = instruments.exposition().decode()
    for name, tier in zip(NAMES * 2, ["first", "second", "default", "first"], strict=True):
        labels = f'feature_name="{name}",served_from="{tier}",version="{VERSIONS[name]}"'
        assert f"feature_requests_total{{{labels}}} 1.0" in exposed


async def test_a_complete_answer_asks_nobody_else() -> None:
    """Tiers below the one that had everything are left alone."""
    first, second = FakeTier("first", {0: b"1.0"}), FakeTier("second", {})
    answer = await (await _store(first, second)).read(["a"], NAMES[:1])
    assert second.asked == []
    assert answer.counts == {"first": 1}


async def test_a_dead_tier_is_passed_over() -> None:
    """The next tier is asked for everything; the answer, the log and the metrics tell."""
    instruments = Instruments()
    store = await _store(DeadTier(), DefaultTier(), instruments=instruments)
    with capture_logs() as logged:
        answer = await store.read(["a", "b"], NAMES[:1])
    assert answer.degraded
    assert answer.texts == [b"0.1", b"0.1"]
    assert [entry["event"] for entry in logged] == ["tier_unavailable"]
    counted = 'feature_tier_unavailable_total{tier="dead"} 1.0'
    assert counted in instruments.exposition().decode()


async def test_misses_are_logged_once_without_ids() -> None:
    """However many values are missing, one event tells how many of which feature."""
    store = await _store(FakeTier("first", {}), DefaultTier())
    with capture_logs() as logged:
        await store.read(["secret-a", "secret-b"], NAMES)
    (event,) = logged
    assert event["event"] == "feature_miss"
    assert event["misses"] == {f"{name}=={VERSIONS[name]}": 2 for name in NAMES}
    assert "secret" not in str(event)


async def test_repeated_ids_and_names_count_once() -> None:
    """They are read once; their first place decides the order."""
    first = FakeTier("first", {0: b"1.0", 1: b"2.0"})
    answer = await (await _store(first)).read(["b", "a", "b"], NAMES[:1] * 2)
    assert answer.batch.entity_ids == ["b", "a"]
    assert first.asked == [[0, 1]]


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
