"""Who asks for no version gets what the rules say; what did not decide is not told of."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from structlog.testing import capture_logs

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.log_digest import LogDigest
from serving_gateway.rules_cache import RulesCache
from serving_gateway.selection import Selection
from serving_gateway.version_choice import VersionChoice, Wish

POPULARITY, FRESHNESS = "popularity_score", "product_freshness_score"


def _experiment(name: str, versions: Mapping[str, str]) -> dict[str, object]:
    """Return an experiment whose variant `new` says something of versions, for users so called."""
    return {
        "name": name,
        "salt": "1",
        "start": "2026-01-01T00:00:00Z",
        "end": "2999-01-01T00:00:00Z",
        "variants": [
            {"name": "control", "weight": 1},
            {"name": "new", "weight": 1, "versions": dict(versions)},
        ],
        "forced": {"control": "control", "new": "new"},
    }


RULES = {
    "versions": {POPULARITY: "1.0.0"},
    "experiments": [_experiment("trending", {POPULARITY: "2.0.0"})],
}


async def _choice(
    folder: Path, rules: Mapping[str, object], digest: LogDigest | None = None
) -> VersionChoice:
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump(rules))
    deployed = Catalog(features=gather_features(), services={})
    catalog = CatalogCache(lambda: deployed, interval=timedelta(hours=1), limit=timedelta(hours=1))
    await catalog.refresh()
    return VersionChoice(catalog, RulesCache(path), digest or LogDigest())


def _served(selection: Selection) -> list[str]:
    return [feature.version for feature in selection.features]


@pytest.mark.parametrize(
    ("user", "version", "variants"),
    [
        ("new", "2.0.0", {"trending": "new"}),
        ("control", "1.0.0", {"trending": "control"}),
        (None, "1.0.0", {}),
    ],
)
async def test_an_experiment_decides_for_both_its_groups(
    tmp_path: Path, user: str | None, version: str, variants: Mapping[str, str]
) -> None:
    """The control group is exposed to it, too: it gets what it would get without."""
    choice = await _choice(tmp_path, RULES)
    selection = choice.resolve([POPULARITY, FRESHNESS], Wish(user_id=user))
    assert _served(selection) == [version, "1.0.0"]
    assert selection.variants == variants
    assert [[f.feature_name for f in e.features] for e in selection.exposures] == [
        [POPULARITY] for _ in variants
    ]


@pytest.mark.parametrize(
    ("names", "wish"),
    [
        ([FRESHNESS], Wish(user_id="new")),
        ([POPULARITY], Wish(version="1.0.0", user_id="new")),
        ([POPULARITY, FRESHNESS], Wish(versions={POPULARITY: "1.0.0"}, user_id="new")),
    ],
    ids=["another feature", "a version of all", "a version of one"],
)
async def test_what_did_not_decide_is_no_exposure(
    tmp_path: Path, names: list[str], wish: Wish
) -> None:
    """The request was not about its feature, or said which version itself."""
    selection = (await _choice(tmp_path, RULES)).resolve(names, wish)
    assert (selection.exposures, selection.variants) == ([], {})


async def test_a_variant_that_nothing_fits_is_no_exposure(tmp_path: Path) -> None:
    """What is pinned is served, then what the service declares; the log tells how often."""
    rules = {**RULES, "experiments": [_experiment("trending", {POPULARITY: "^7"})]}
    digest = LogDigest()
    choice = await _choice(tmp_path, rules, digest)
    for _ in range(3):
        selection = choice.resolve([POPULARITY], Wish(user_id="new"))
        assert (_served(selection), selection.variants) == (["1.0.0"], {})
    with capture_logs() as logged:
        digest.flush()
    assert [(each["event"], each["count"]) for each in logged] == [("serving_rule_not_followed", 3)]
    choice = await _choice(tmp_path, {"versions": {POPULARITY: "^7"}})
    declared = {POPULARITY: "1.0.0"}
    assert _served(choice.resolve([POPULARITY], Wish(), declared=declared)) == ["1.0.0"]
    assert _served(choice.resolve([POPULARITY], Wish())) == ["1.1.0"]


async def test_who_is_in_no_experiment_is_remembered_for_all(tmp_path: Path) -> None:
    """Also while one has ended; what a request says of other features makes no difference."""
    ended = _experiment("over", {POPULARITY: "2.0.0"}) | {"end": "2026-01-02T00:00:00Z"}
    choice = await _choice(tmp_path, {"experiments": [ended]})
    first = choice.resolve([POPULARITY], Wish())
    assert choice.resolve([POPULARITY], Wish(user_id="new")) is first
    assert choice.resolve([POPULARITY], Wish(versions={"of_no_matter": "1.0.0"})) is first


async def test_each_request_tells_of_the_rules_it_can_not_follow(tmp_path: Path) -> None:
    """However often the same one comes."""
    digest = LogDigest()
    choice = await _choice(tmp_path, {"versions": {POPULARITY: "^7"}}, digest)
    for _ in range(3):
        choice.resolve([POPULARITY], Wish())
    with capture_logs() as logged:
        digest.flush()
    assert [(each["event"], each["count"]) for each in logged] == [("serving_rule_not_followed", 3)]


async def test_what_is_remembered_is_of_this_catalog_and_these_rules(tmp_path: Path) -> None:
    """The same request gets the very same; once something is deployed or pinned, what is new."""
    features = gather_features()
    deployed = [Catalog(features=features, services={})]
    catalog = CatalogCache(
        lambda: deployed[0], interval=timedelta(hours=1), limit=timedelta(hours=1)
    )
    await catalog.refresh()
    path = tmp_path / "rules.yaml"
    path.write_text("versions: {}")
    rules = RulesCache(path)
    choice = VersionChoice(catalog, rules, LogDigest())
    first = choice.resolve([POPULARITY, POPULARITY], Wish())
    assert _served(first) == ["1.1.0"]
    assert choice.resolve([POPULARITY, POPULARITY], Wish()) is first
    assert _served(choice.resolve([POPULARITY], Wish(version="1.0.0"))) == ["1.0.0"]
    assert _served(choice.resolve([POPULARITY], Wish(versions={POPULARITY: "^1.0.0"}))) == ["1.1.0"]
    newer = next(f for f in features if f.reference == f"{POPULARITY}==1.1.0")
    deployed[0] = Catalog([*features, newer.with_changes(version="1.2.0")], {})
    await catalog.refresh()
    assert _served(choice.resolve([POPULARITY, POPULARITY], Wish())) == ["1.2.0"]
    path.write_text("versions: {popularity_score: 1.0.0}")
    await rules.refresh()
    assert _served(choice.resolve([POPULARITY, POPULARITY], Wish())) == ["1.0.0"]
