"""Rules that nothing fits, and files that are wrong, are told of: once, and as metrics."""

import asyncio
import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features
from feature_repo.registry.serving_rules import ServingRules
from foundation import clock
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.metric_registry import MetricRegistry
from serving_gateway.rules_cache import RulesCache
from serving_gateway.rules_check import unmatched
from serving_gateway.rules_watch import RulesInstruments, RulesWatch

CATALOG = Catalog(features=gather_features(), services={})
RULES = """
versions: {popularty_score: 1.0.0, popularity_score: ~1.0}
experiments:
  - name: trending
    salt: a
    start: 2026-01-01T00:00:00Z
    end: 2999-01-01T00:00:00Z
    variants:
      - {name: control, weight: 1}
      - {name: new, weight: 1, versions: {popularity_score: ^7}}
shadows: [{feature_name: popularity_score, version: 9.0.0, share: 0.1}]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file of rules of which some fit nothing."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def _value(metrics: MetricRegistry, name: str) -> float:
    value = metrics.registry.get_sample_value(f"feature_serving_rules_{name}")
    assert value is not None
    return value


def test_each_rule_that_nothing_fits_is_named(path: Path) -> None:
    """With what is wrong: a misspelt feature, or a version; unless it is of the past."""
    rules, now = RulesCache(path).current, clock.now()
    found = unmatched(rules, CATALOG, now=now)
    misspelt = "a pinned version: popularty_score 1.0.0"
    of_experiment = "experiment trending: popularity_score ^7"
    assert set(found) == {misspelt, of_experiment, "a shadow: popularity_score 9.0.0"}
    assert "'popularty_score' does not exist" in found[misspelt]
    assert of_experiment not in unmatched(rules, CATALOG, now=now.replace(year=2999))
    assert unmatched(ServingRules(), CATALOG, now=now) == {}


async def test_what_is_wrong_is_said_once(path: Path) -> None:
    """Until it is something else; the gauges tell as long as it lasts."""
    deployed = [CATALOG]
    catalog = CatalogCache(
        lambda: deployed[0], interval=timedelta(hours=1), limit=timedelta(hours=1)
    )
    metrics, rules = MetricRegistry(), RulesCache(path)
    watch = RulesWatch(rules, catalog, RulesInstruments(metrics), interval=timedelta(hours=1))
    with capture_logs() as logged:
        watch.check()
        assert _value(metrics, "unmatched") == 0  # nobody knows yet
        await catalog.refresh()
        for _ in range(3):
            watch.check()
    assert [each["event"] for each in logged] == ["serving_rule_unmatched"] * 3
    assert _value(metrics, "unmatched") == 3
    assert _value(metrics, "loaded_timestamp_seconds") == rules.loaded_at.timestamp()
    features = [f for f in CATALOG.features if f.reference != "popularity_score==1.0.0"]
    deployed[0] = dataclasses.replace(CATALOG, features=features)
    with capture_logs() as logged:
        await catalog.refresh()
        watch.check()
    assert [each["rule"] for each in logged if "rule" in each][
        -1
    ] == "a pinned version: popularity_score ~1.0"
    assert _value(metrics, "unmatched") == 4


def test_a_rejected_file_is_said_once(path: Path) -> None:
    """And what it said before is followed, since when it was read."""
    catalog = CatalogCache(lambda: CATALOG, interval=timedelta(hours=1), limit=timedelta(hours=1))
    metrics, rules = MetricRegistry(), RulesCache(path)
    watch = RulesWatch(rules, catalog, RulesInstruments(metrics), interval=timedelta(hours=1))
    before = rules.current, rules.loaded_at
    path.write_text("versions: [")
    with capture_logs() as logged:
        for _ in range(3):
            asyncio.run(rules.refresh())
            watch.check()
    assert [each["event"] for each in logged] == ["serving_rules_not_read"]
    assert _value(metrics, "rejected") == 1
    assert (rules.current, rules.loaded_at) == before
    path.write_text("")
    asyncio.run(rules.refresh())
    watch.check()
    assert _value(metrics, "rejected") == 0
    assert rules.current == ServingRules()
    assert rules.loaded_at > before[1]
