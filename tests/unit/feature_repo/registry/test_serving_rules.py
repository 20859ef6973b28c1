"""Users are dealt out evenly, independently, and always the same way."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from scipy.stats import chi2_contingency, chisquare

from feature_repo.registry.serving_rules import ServingRules

START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(days=14)
USERS = [f"user_{n}" for n in range(1_000_000)]


def _experiment(name: str = "trending", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {
        "name": name,
        "salt": "1",
        "start": START,
        "end": END,
        "variants": [
            {"name": "control", "weight": 3},
            {"name": "new", "weight": 1, "versions": {"popularity_score": "1.1.0"}},
        ],
        **changes,
    }


def _rules(*experiments: dict[str, Any], **fields: Any) -> ServingRules:  # noqa: ANN401 - any field
    return ServingRules.model_validate({"experiments": list(experiments), **fields})


def _variants(experiment: dict[str, Any], users: Sequence[str]) -> list[str]:
    [made] = _rules(experiment).experiments
    return [made.variant_of(user).name for user in users]


def test_users_are_spread_by_weight() -> None:
    """A chi-squared test over a million of them finds nothing."""
    counts = Counter(_variants(_experiment(unit="user_id"), USERS))
    expected = {"control": len(USERS) * 0.75, "new": len(USERS) * 0.25}
    found = chisquare([counts[name] for name in expected], list(expected.values()))
    assert found.pvalue > 0.001


@pytest.mark.parametrize("other", [_experiment("other"), _experiment(salt="2")])
def test_experiments_are_independent(other: dict[str, Any]) -> None:
    """Neither another name nor another salt gives related variants."""
    users = USERS[:200_000]
    variants = (_variants(experiment, users) for experiment in (_experiment(), other))
    pairs = Counter(zip(*variants, strict=True))
    table = [[pairs[a, b] for b in ("control", "new")] for a in ("control", "new")]
    assert chi2_contingency(table).pvalue > 0.001


def test_a_user_keeps_their_variant() -> None:
    """In every process and on every machine."""
    [experiment] = _rules(_experiment()).experiments
    variants = "".join(experiment.variant_of(f"user_{n}").name[0] for n in range(20))
    assert variants == "nccnncccnccnncnncncn"


def test_rules_choose_versions() -> None:
    """A running experiment goes before a pinned version, for its users only."""
    rules = _rules(
        _experiment(forced={"tester": "new", "other": "control"}),
        versions={"popularity_score": "~1.0", "user_activity_level": "^1"},
    )
    pinned = {"popularity_score": "~1.0", "user_activity_level": "^1"}
    tester = rules.choose("tester", now=START)
    assert tester.pinned == pinned
    assert set(tester.assignments) == {"popularity_score"}
    assignment = tester.assignments["popularity_score"]
    assert (assignment.experiment, assignment.variant) == ("trending", "new")
    assert (assignment.versions, assignment.is_forced) == ({"popularity_score": "1.1.0"}, True)
    other = rules.choose("other", now=START).assignments["popularity_score"]
    assert (other.variant, other.versions) == ("control", {})
    for nobody in (rules.choose(None, now=START), rules.choose("tester", now=END)):
        assert (nobody.pinned, nobody.assignments) == (pinned, {})


@pytest.mark.parametrize("group", ["new", "control"])
def test_the_first_of_two_experiments_decides(group: str) -> None:
    """For both of its groups; about what it says nothing of, the other one does."""
    other = _experiment("other", forced={"tester": "new"})
    other["variants"][1]["versions"] = {"popularity_score": "2.0.0", "user_activity_level": "^1"}
    rules = _rules(_experiment(forced={"tester": group}), other)
    assignments = rules.choose("tester", now=START).assignments
    assert {name: (each.experiment, each.variant) for name, each in assignments.items()} == {
        "popularity_score": ("trending", group),
        "user_activity_level": ("other", "new"),
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"forced": {"u": "missing"}}, "'missing' is no variant"),
        ({"end": START}, "end: is not after start"),
        ({"variants": [{"name": "a", "weight": 1}]}, "at least 2"),
        ({"variants": [{"name": "a", "weight": 1}] * 2}, "comes twice"),
        ({"variants": [{"name": "a", "weight": 0}] * 2}, "greater than 0"),
        ({"start": "2026-11-01T00:00:00"}, "timezone"),
        ({"unit": "session"}, "Input should be 'user_id'"),
        ({"units": "user_id"}, "Extra inputs"),
    ],
)
def test_wrong_experiments_are_refused(changes: dict[str, Any], message: str) -> None:
    """The error names the field."""
    with pytest.raises(ValidationError, match=message):
        _rules(_experiment(**changes))


@pytest.mark.parametrize(
    ("shadows", "message"),
    [
        ([("1.1.0", 0.5), ("1.1.0", 1.0)], "a candidate comes twice"),
        ([("^1", 0.5)], "pattern"),
        ([("1.1.0", 0)], "greater than 0"),
        ([("1.1.0", 1.5)], "less than or equal to 1"),
    ],
)
def test_wrong_shadows_are_refused(shadows: list[tuple[str, float]], message: str) -> None:
    """A candidate is one exact version, of some share."""
    written = [
        {"feature_name": "popularity_score", "version": version, "share": share}
        for version, share in shadows
    ]
    with pytest.raises(ValidationError, match=message):
        _rules(shadows=written)
