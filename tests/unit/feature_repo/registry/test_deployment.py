"""Which versions the serving rules rely on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feature_repo.registry.deployment import rules_by_version
from feature_repo.registry.gather import gather_features
from feature_repo.registry.lifecycle import retire
from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import ConfigurationError

FEATURES = gather_features()
NOW = datetime(2026, 12, 1, tzinfo=UTC)
END = NOW + timedelta(days=1)
RULES = f"""
versions: {{popularity_score: 1.0.0, a: ^1}}
experiments:
  - name: e
    salt: s
    start: 2026-11-01T00:00:00Z
    end: {END.isoformat()}
    variants:
      - {{name: control, weight: 1}}
      - {{name: v, weight: 1, versions: {{popularity_score: 1.0.0}}}}
shadows: [{{feature_name: b, version: 2.0.0, share: 1}}]
"""


def retired(*references: str) -> list[FeatureVersion]:
    """Return all features, some of them retired."""
    return [retire(f, now=NOW) if f.reference in references else f for f in FEATURES]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Return where the rules are."""
    return tmp_path / "rules.yaml"


def test_rules_name_versions(rules: Path) -> None:
    """Pinned, tried and shadowed ones; where nobody said where rules are, nobody knows."""
    rules.write_text(RULES)
    found = rules_by_version(rules, FEATURES, now=NOW)
    assert found is not None
    assert found["popularity_score==1.0.0"] == ["a pinned version", "experiment e"]
    assert found["b==2.0.0"] == ["a shadow"]
    assert rules_by_version(None, FEATURES, now=NOW) is None


def test_an_experiment_that_ended_relies_on_nothing(rules: Path) -> None:
    """One that has not begun does."""
    rules.write_text(RULES)
    for now, expected in ((END - timedelta(days=90), 2), (END, 1)):
        found = rules_by_version(rules, FEATURES, now=now)
        assert found is not None
        assert len(found["popularity_score==1.0.0"]) == expected


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
    found = rules_by_version(rules, features, now=NOW)
    assert found == {f"popularity_score=={v}": ["a pinned version"] for v in relied_on}


@pytest.mark.parametrize(
    "text",
    ["- a", "versions: [a]", "experiments: [{name: e}]", "versions: {popularity_score: 1.0}", "{"],
)
def test_a_file_that_is_wrong_is_named(rules: Path, text: str) -> None:
    """Without a traceback."""
    rules.write_text(text)
    with pytest.raises(ConfigurationError, match=r"rules\.yaml"):
        rules_by_version(rules, FEATURES, now=NOW)
