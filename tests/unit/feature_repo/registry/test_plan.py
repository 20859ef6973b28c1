"""What a change of a definition asks for, and who is in its way."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.plan import Definitions, Kind, plan
from feature_repo.registry.plan_report import plan_markdown, plan_record, violations_text

FEATURES = {feature.reference: feature for feature in gather_features()}
STABLE = FEATURES["popularity_score==1.0.0"]
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def definitions(
    *features: FeatureVersion,
    services: Mapping[str, Sequence[str]] | None = None,
    fingerprints: Mapping[str, str] | None = None,
) -> Definitions:
    """Return definitions of some features."""
    return Definitions(features, services or {}, fingerprints or {})


def changed(feature: FeatureVersion = STABLE, **changes: Any) -> FeatureVersion:  # noqa: ANN401 - any field
    """Return a version that differs."""
    return FeatureVersion.model_validate({**feature.model_dump(), **changes})


@given(st.sets(st.sampled_from(sorted(FEATURES))))
def test_what_is_deployed_already_changes_nothing(references: set[str]) -> None:
    """Whatever it is."""
    same = definitions(
        *(FEATURES[reference] for reference in sorted(references)),
        services={"s": sorted(references)},
        fingerprints=dict.fromkeys(references, "a"),
    )
    found = plan(same, same, rules={}, now=NOW)
    assert (list(found.changes), list(found.services)) == ([], [])
    assert plan_markdown(found) == "Nothing changes.\n"


@pytest.mark.parametrize(
    ("changes", "asked", "suggested"),
    [
        ({"parameters": {"half_life_days": 3.0}}, "MINOR", "1.1.0"),
        ({"source": ("events",)}, "MINOR", "1.1.0"),
        ({"feature_type": "map", "default": {}}, "MAJOR", "2.0.0"),
        ({"entity": "user", "join_keys": ("user_id",)}, "MAJOR", "2.0.0"),
        ({"default": 0.2}, "PATCH", "1.0.1"),
        ({"staleness_tolerance": timedelta(minutes=9)}, "PATCH", "1.0.1"),
    ],
)
def test_a_published_version_does_not_change(
    changes: dict[str, Any], asked: str, suggested: str
) -> None:
    """It says which version the change would be."""
    found = plan(definitions(changed(**changes)), definitions(STABLE), rules={}, now=NOW)
    [change] = found.violations
    assert (change.kind, change.asked.name) == (Kind.CHANGED, asked)
    assert "published" in str(change.problem)
    assert suggested in change.hint
    assert STABLE.reference in violations_text(found)


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "search"},
        {"description": "Other words."},
        {"computation_frequency": timedelta(minutes=1)},
        {"status": Status.DEPRECATED, "deprecated_at": NOW},
        {"expectations": {"min_row_count": 7}},
    ],
)
def test_what_users_do_not_see_may_change(changes: dict[str, Any]) -> None:
    """And is told, field by field."""
    found = plan(definitions(changed(**changes)), definitions(STABLE), rules={}, now=NOW)
    assert found.violations == []
    assert {change.field for change in found.changes[0].fields} == changes.keys()


def test_a_staged_version_may_change_in_any_way() -> None:
    """Nobody relies on it yet."""
    staged = changed(status=Status.STAGED)
    other = changed(staged, default=0.3, parameters={"half_life_days": 1.0})
    assert plan(definitions(other), definitions(staged), rules={}, now=NOW).violations == []


def test_another_fingerprint_is_another_computation() -> None:
    """Unless it was asked not to mind, or nobody knows what it was."""
    before, after = (
        definitions(STABLE, fingerprints={STABLE.reference: print_}) for print_ in ("aaa", "bbb")
    )
    [change] = plan(after, before, rules={}, now=NOW).violations
    assert change.fields[0].field == "computation fingerprint"
    assert plan(after, before, rules={}, now=NOW, trusts_fingerprints=False).violations == []
    assert plan(after, definitions(STABLE), rules={}, now=NOW).violations == []


@pytest.mark.parametrize(
    ("version", "changes", "problem"),
    [
        ("1.0.1", {"default": 0.2}, None),
        ("1.0.1", {"parameters": {"half_life_days": 1.0}}, "parameters"),
        ("1.1.0", {"parameters": {"half_life_days": 1.0}}, None),
        ("1.1.0", {"feature_type": "map", "default": {}}, "feature_type"),
        ("2.0.0", {"feature_type": "map", "default": {}}, None),
    ],
)
def test_a_new_version_rises_far_enough(
    version: str, changes: dict[str, Any], problem: str | None
) -> None:
    """Compared with the newest one before it."""
    new = changed(version=version, **changes)
    [change] = plan(definitions(STABLE, new), definitions(STABLE), rules={}, now=NOW).changes
    assert change.kind is Kind.ADDED
    assert (change.problem or "").startswith(problem or "")
    assert (change.problem is None) == (problem is None)


def test_nothing_is_retired_or_removed_that_somebody_uses() -> None:
    """A feature, a feature service, a serving rule."""
    retired = changed(status=Status.RETIRED, retired_at=NOW)
    deployed = definitions(STABLE)
    assert plan(definitions(retired), deployed, rules={}, now=NOW).violations == []
    in_service = definitions(retired, services={"search_v1": [STABLE.reference]})
    [change] = plan(
        in_service, deployed, rules={STABLE.reference: ["a shadow"]}, now=NOW
    ).violations
    assert change.consumers == ["feature service search_v1", "a shadow"]
    dependent = changed(
        FEATURES["user_category_affinity==1.0.0"],
        dependencies=(STABLE.reference,),
        default_values_of=None,
    )
    [change] = plan(definitions(retired, dependent), deployed, rules={}, now=NOW).violations
    assert change.consumers == [f"feature {dependent.reference}"]


def test_only_what_is_retired_may_be_gone() -> None:
    """A version that is served must not vanish with its file; nor its values be forgotten."""
    assert "not defined any more" in str(
        plan(definitions(), definitions(STABLE), rules={}, now=NOW).violations[0].problem
    )
    lately, long_ago = (
        definitions(changed(status=Status.RETIRED, retired_at=NOW - timedelta(days=days)))
        for days in (6, 8)
    )
    [change] = plan(definitions(), lately, rules={}, now=NOW).violations
    assert "has its values still" in str(change.problem)
    found = plan(definitions(), long_ago, rules={}, now=NOW)
    assert [change.kind for change in found.changes] == [Kind.REMOVED]
    assert found.violations == []


def test_feature_services_are_compared() -> None:
    """By what joins and what leaves."""
    services = {service.name: service.features for service in gather_services(FEATURES.values())}
    fewer = {**services, "search_v1": services["search_v1"][:-1]}
    found = plan(definitions(services=fewer), definitions(services=services), rules={}, now=NOW)
    assert plan_record(found)["services"] == [
        {"name": "search_v1", "joining": [], "leaving": [services["search_v1"][-1]]}
    ]
    assert "search_v1" in plan_markdown(found)
