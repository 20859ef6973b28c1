"""Who asks for no version gets what experiments, pinned versions and the catalog say."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from feature_repo.registry.rules_file import read_rules
from feature_repo.stores.keys import redis_keys
from foundation.errors import ConfigurationError
from foundation.settings import Settings
from tests.integration.serving_gateway.conftest import gateway_on, read_batch, read_metrics

VALUES = {"1.0.0": "0.1", "1.1.0": "0.2", "2.0.0": '{"view":0.3}'}
ASKED: dict[str, Any] = {"entity_ids": ["p1"], "feature_names": ["popularity_score"]}
EXPERIMENT = """
experiments:
  - name: trending
    salt: a
    start: 2026-01-01T00:00:00Z
    end: 2999-01-01T00:00:00Z
    variants:
      - {name: control, weight: 1, versions: {popularity_score: 1.0.0}}
      - {name: new, weight: 1, versions: {popularity_score: 2.0.0}}
    forced: {tester: new, other: control}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Return a file of rules that says nothing yet."""
    path = tmp_path / "rules.yaml"
    path.touch()
    return path


@pytest.fixture
def client(applied: Settings, valkey: redis.Redis, rules: Path) -> Iterator[httpx.Client]:
    """Yield a client of a gateway that follows the file, with a value of each version."""
    for version, text in VALUES.items():
        valkey.set(redis_keys("popularity_score", version, ["p1"])[0], text, ex=60)
    settings = applied.model_copy(
        update={"serving_rules": rules, "serving_rules_refresh_seconds": 0.05}
    )
    with gateway_on(settings) as client:
        yield client


def _version(client: httpx.Client, **body: Any) -> str:  # noqa: ANN401 - any field
    answer = read_batch(client, **ASKED, **body)
    version: str = answer["versions"]["popularity_score"]
    value = answer["values"]["p1"]["popularity_score"]
    assert str(value) == VALUES[version] or version == "2.0.0"
    return version


def _wait(condition: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if condition():
            return
    pytest.fail("it did not come about")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "1.1.0"),
        ({"version": "1.0.0"}, "1.0.0"),
        ({"version": "~1.0"}, "1.0.0"),
        ({"version": "^1"}, "1.1.0"),
        ({"version": "latest"}, "1.1.0"),
        ({"version": "2.0.0"}, "2.0.0"),
        ({"version": "^1", "versions": {"popularity_score": "1.0.0"}}, "1.0.0"),
        ({"versions": {"other": "1.0.0"}}, "1.1.0"),
    ],
)
def test_a_request_says_which_version(
    client: httpx.Client, body: dict[str, Any], expected: str
) -> None:
    """Of all features, or of one."""
    assert _version(client, **body) == expected


def test_a_rollback_is_a_change_of_the_file(client: httpx.Client, rules: Path) -> None:
    """Without a restart, and back again; who asks for a version still gets it."""
    rules.write_text("versions: {popularity_score: ~1.0}")
    _wait(lambda: _version(client) == "1.0.0")
    assert _version(client, version="1.1.0") == "1.1.0"
    assert client.get("/v1/features/popularity_score").json()["served_version"] == "1.0.0"
    rules.write_text("")
    _wait(lambda: _version(client) == "1.1.0")


def test_an_experiment_decides_for_its_users(client: httpx.Client, rules: Path) -> None:
    """The variant is told, and counted; others get what they got."""
    rules.write_text("versions: {popularity_score: 1.1.0}" + EXPERIMENT)
    _wait(lambda: _version(client, user_id="tester") == "2.0.0")
    assert _version(client, user_id="other") == "1.0.0"
    assert _version(client) == "1.1.0"
    assert _version(client, user_id="tester", version="^1") == "1.1.0"
    answer = read_batch(client, **ASKED, user_id="tester")
    assert answer["experiments"] == {"trending": "new"}
    name = 'feature_experiment_exposures_total{experiment="trending",variant="new"}'
    before = read_metrics(client)[name]
    url = "/v1/features/popularity_score/values/p1"
    assert client.get(url, params={"user_id": "tester"}).json()["version"] == "2.0.0"
    explicit = read_batch(client, **ASKED, user_id="tester", version="1.0.0")
    assert explicit["experiments"] == {}
    assert read_metrics(client)[name] == before + 1


def test_who_took_part_is_on_record(
    applied: Settings, valkey: redis.Redis, rules: Path, tmp_path: Path
) -> None:
    """In files that name the user, where the settings ask for them."""
    valkey.set(redis_keys("popularity_score", "2.0.0", ["p1"])[0], VALUES["2.0.0"], ex=60)
    rules.write_text(EXPERIMENT)
    folder = tmp_path / "exposures"
    settings = applied.model_copy(update={"serving_rules": rules, "exposures_path": folder})
    with gateway_on(settings) as client:
        for _ in range(2):
            assert _version(client, user_id="tester") == "2.0.0"
    [file] = folder.iterdir()
    [record] = map(json.loads, file.read_text().splitlines())
    assert (record["user_id"], record["variant"]) == ("tester", "new")


def test_a_file_that_becomes_wrong_changes_nothing(client: httpx.Client, rules: Path) -> None:
    """What it said before stays until it is right again."""
    rules.write_text("versions: {popularity_score: ~1.0}")
    _wait(lambda: _version(client) == "1.0.0")
    for wrong in ("versions: {popularity_score: newest}", "{", "versions: [1]", "\x00"):
        rules.write_text(wrong)
        with pytest.raises(ConfigurationError):
            read_rules(rules)
    rules.unlink()
    assert {_version(client) for _ in range(50)} == {"1.0.0"}


def test_a_rule_that_nothing_fits_is_passed_over(client: httpx.Client, rules: Path) -> None:
    """Who asked for nothing is not refused for it."""
    rules.write_text("versions: {popularity_score: 1.0.0}")
    _wait(lambda: _version(client) == "1.0.0")
    rules.write_text("versions: {popularity_score: ^7, popularty_score: 1.0.0}")
    _wait(lambda: read_metrics(client)["feature_serving_rules_unmatched"] == 2)
    assert _version(client) == "1.1.0"
    rules.write_text("versions: [")
    _wait(lambda: read_metrics(client)["feature_serving_rules_rejected"] == 1)


def test_a_file_that_is_wrong_at_the_start_is_named(rules: Path) -> None:
    """With every field."""
    rules.write_text("experiments: [{name: a}]")
    with pytest.raises(ConfigurationError, match=r"experiments\.0\.variants: Field required"):
        read_rules(rules)


@pytest.mark.parametrize(
    ("version", "status"), [("^7", 404), ("9.0.0", 404), ("1.0", 422), (">1", 422)]
)
def test_versions_that_are_not_there_are_refused(
    client: httpx.Client, version: str, status: int
) -> None:
    """The hint lists what exists."""
    response = client.post("/v1/features/batch", json={**ASKED, "version": version})
    assert response.status_code == status
    if status == 404:
        assert "1.1.0 (active)" in response.json()["hint"]
