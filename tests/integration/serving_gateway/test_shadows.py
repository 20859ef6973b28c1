"""Candidate versions are read beside the served ones, and only their differences are kept."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.registry.metadata import Status
from feature_repo.stores.keys import redis_keys
from foundation.settings import Settings
from tests.integration.serving_gateway.conftest import gateway_on, read_batch, read_metrics

SERVED, CANDIDATE = "1.1.0", "1.0.0"
IDS = [f"p{number}" for number in range(100)]
RULES = f"""
shadows:
  - {{feature_name: popularity_score, version: {CANDIDATE}, share: 1}}
"""
PAIR = f'candidate_version="{CANDIDATE}",feature_name="popularity_score",served_version="{SERVED}"'


def _staged() -> Catalog:
    """Return the catalog, with a candidate that is not served to whoever asks for nothing."""
    catalog = read_catalog()
    features = [
        feature.model_copy(update={"status": Status.STAGED})
        if (feature.feature_name, feature.version) == ("popularity_score", CANDIDATE)
        else feature
        for feature in catalog.features
    ]
    return Catalog(features=features, services=catalog.services)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Return a file of rules with a shadow."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture
def client(applied: Settings, valkey: redis.Redis, rules: Path) -> Iterator[httpx.Client]:
    """Yield a client of a gateway, with values of both versions, and one more of the served one."""
    served = redis_keys("popularity_score", SERVED, IDS)
    candidates = redis_keys("popularity_score", CANDIDATE, IDS[1:])
    for key in served:
        valkey.set(key, "0.75", ex=60)
    for key in candidates:
        valkey.set(key, "0.5", ex=60)
    settings = applied.model_copy(
        update={"serving_rules": rules, "serving_rules_refresh_seconds": 0.05}
    )
    with gateway_on(settings, _staged) as client:
        yield client


def _compared(client: httpx.Client) -> dict[str, float]:
    found = read_metrics(client)
    return {name: value for name, value in found.items() if name.startswith("feature_shadow")}


def _wait_for(client: httpx.Client, name: str, value: float) -> dict[str, float]:
    for _ in range(500):
        found = _compared(client)
        if found.get(name, 0.0) >= value:
            return found
        time.sleep(0.01)
    pytest.fail(f"{name} did not reach {value}: {found}")


def test_a_candidate_is_compared_and_served_to_nobody(client: httpx.Client) -> None:
    """Differences, values that one side lacks, and the distance of distributions."""
    for _ in range(11):
        answer = read_batch(client, entity_ids=IDS, feature_names=["popularity_score"])
        assert answer["versions"] == {"popularity_score": SERVED}
        assert {v["popularity_score"] for v in answer["values"].values()} == {0.75}
    found = _wait_for(client, f"feature_shadow_values_total{{{PAIR}}}", 11 * 99)
    assert found[f"feature_shadow_absolute_difference_total{{{PAIR}}}"] == 11 * 99 * 0.25
    labels = f'{PAIR},side="served"'
    assert found[f"feature_shadow_one_sided_values_total{{{labels}}}"] == 11
    assert found[f"feature_shadow_stability_index{{{PAIR}}}"] > 0.25
    compared = 'feature_shadow_requests_total{feature_name="popularity_score",outcome="compared"}'
    assert found[compared] == 11
    reads = read_metrics(client)
    assert not any("feature_requests_total" in n and f'"{CANDIDATE}"' in n for n in reads)


def test_shadows_end_with_their_rule(client: httpx.Client, rules: Path) -> None:
    """And begin again, without a restart."""
    asked = {"entity_ids": IDS[1:], "feature_names": ["popularity_score"]}
    read_batch(client, **asked)
    compared = 'feature_shadow_requests_total{feature_name="popularity_score",outcome="compared"}'
    _wait_for(client, compared, 1)
    rules.write_text("versions: {product_freshness_score: 1.0.0}")
    time.sleep(0.3)
    before = _compared(client)
    for _ in range(20):
        read_batch(client, **asked)
    time.sleep(0.1)
    assert _compared(client) == before
    rules.write_text(RULES)
    for _ in range(500):
        read_batch(client, **asked)
        if _compared(client)[compared] > before[compared]:
            return
        time.sleep(0.01)
    pytest.fail("the shadow did not begin again")


def test_a_candidate_of_another_type_is_told(client: httpx.Client, rules: Path) -> None:
    """Counted as incomparable, not as a difference."""
    rules.write_text("shadows: [{feature_name: popularity_score, version: 2.0.0, share: 1}]")
    name = 'feature_shadow_requests_total{feature_name="popularity_score",outcome="incomparable"}'
    for _ in range(500):
        read_batch(client, entity_ids=IDS, feature_names=["popularity_score"])
        if _compared(client).get(name):
            return
        time.sleep(0.01)
    pytest.fail("nothing was said")
