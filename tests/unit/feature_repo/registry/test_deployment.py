"""Which versions the serving rules rely on."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from feature_repo.registry.deployment import rules_by_version
from feature_repo.registry.gather import gather_features
from feature_repo.registry.lifecycle import retire
from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import ConfigurationError

FEATURES = gather_features()
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def retired(*references: str) -> list[FeatureVersion]:
    """Return all features, some of them retired."""
    return [retire(f, now=NOW) if f.reference in references else f for f in FEATURES]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Return where the rules are."""
    return tmp_path / "rules.yaml"


def test_rules_name_versions(rules: Path) -> None:
    """Pinned, tried and shadowed ones."""
    rules.write_text(
        "versions: {popularity_score: 1.0.0, a: ^1}\n"
        "experiments: [{name: e, variants: [{name: v, versions: {popularity_score: 1.0.0}}]}]\n"
        "shadows: [{feature_name: b, version: 2.0.0, share: 1}]\n"
    )
    found = rules_by_version(rules, FEATURES)
    assert found["popularity_score==1.0.0"] == ["a pinned version", "experiment e"]
    assert found["b==2.0.0"] == ["a shadow"]
    assert rules_by_version(None, FEATURES) == {}


@pytest.mark.parametrize(
    ("selector", "gone", "relied_on"),
    [
        ("~1.0", (), {"1.0.0"}),
        ("^1", (), {"1.1.0"}),
        ("latest", (), {"1.1.0"}),
        ("^1", ("1.1.0",), {"1.0.0"}),  # the rule falls back, and nobody is left without a value
        ("~1.0", ("1.0.0",), {"1.0.0"}),
        ("^1", ("1.0.0", "1.1.0"), {"1.0.0", "1.1.0"}),
        ("1.0.0", ("1.0.0",), {"1.0.0"}),
    ],
)
def test_a_range_relies_on_what_it_selects(
    rules: Path, selector: str, gone: tuple[str, ...], relied_on: set[str]
) -> None:
    """And, where that is nothing, on all that it would have selected."""
    rules.write_text(f"versions: {{popularity_score: {selector}}}")
    features = retired(*(f"popularity_score=={version}" for version in gone))
    found = rules_by_version(rules, features)
    assert found == {f"popularity_score=={v}": ["a pinned version"] for v in relied_on}


@pytest.mark.parametrize(
    "text",
    ["- a", "versions: [a]", "experiments: [{name: e}]", "versions: {popularity_score: 1.0}", "{"],
)
def test_a_file_that_is_wrong_is_named(rules: Path, text: str) -> None:
    """Without a traceback."""
    rules.write_text(text)
    with pytest.raises(ConfigurationError, match=r"rules\.yaml"):
        rules_by_version(rules, FEATURES)
