"""What a change of a definition asks for, and who is in its way."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.registry import lifecycle
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.inventory import Inventory
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.plan import Kind, Plan, plan
from feature_repo.registry.plan_report import plan_markdown, plan_record, violations_text
from feature_repo.registry.plan_rules import Circumstances, Refusal

FEATURES = {feature.reference: feature for feature in gather_features()}
STABLE, TRENDING = (FEATURES[f"popularity_score=={version}"] for version in ("1.0.0", "1.1.0"))
NOW = datetime(2026, 12, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MAP: dict[str, Any] = {"feature_type": "map", "default": {}}


def inventory(
    *features: FeatureVersion,
    services: Mapping[str, Sequence[str]] | None = None,
    fingerprints: Mapping[str, str] | None = None,
) -> Inventory:
    """Return an inventory of some features."""
    services = services or {}
    return Inventory(features, services, dict.fromkeys(services, "team"), fingerprints or {})


def changed(feature: FeatureVersion = STABLE, **changes: Any) -> FeatureVersion:  # noqa: ANN401 - any field
    """Return a version that differs."""
    return feature.with_changes(**changes)


def planned(
    defined: Inventory,
    deployed: Inventory,
    *,
    rules: Mapping[str, Sequence[str]] | None = None,
    requests: Mapping[str, int] | None = None,
    stored: Collection[str] = (),
    trusts_fingerprints: bool = True,
) -> Plan:
    """Return what would change now."""
    circumstances = Circumstances(
        NOW, rules or {}, requests or {}, stored, trusts_fingerprints=trusts_fingerprints
    )
    return plan(defined, deployed, circumstances)


def refused(found: Plan, name: str = STABLE.reference) -> Refusal:
    """Return why the one thing that is refused is."""
    assert list(found.violations) == [name]
    return found.violations[name]


@given(st.sets(st.sampled_from(sorted(FEATURES))))
def test_what_is_deployed_already_changes_nothing(references: set[str]) -> None:
    """Whatever it is."""
    same = inventory(
        *(FEATURES[reference] for reference in sorted(references)),
        services={"s": sorted(references)},
        fingerprints=dict.fromkeys(references, "a"),
    )
    found = planned(same, same)
    assert (list(found.changes), list(found.services)) == ([], [])
    assert plan_markdown(found) == "Nothing changes.\n"


@pytest.mark.parametrize(
    ("changes", "asked", "suggested"),
    [
        ({"parameters": {"half_life_days": 3.0}}, "MINOR", "1.1.0"),
        ({"source": ("events",)}, "MINOR", "1.1.0"),
        ({"computation_frequency": None}, "MINOR", "1.1.0"),
        (MAP, "MAJOR", "2.0.0"),
        ({"entity": "user", "join_keys": ("user_id",)}, "MAJOR", "2.0.0"),
        ({"default": 0.2}, "PATCH", "1.0.1"),
        ({"staleness_tolerance": timedelta(minutes=9)}, "PATCH", "1.0.1"),
        ({"history_interval": timedelta(days=1)}, "PATCH", "1.0.1"),
        ({"serving_location": ("postgres",)}, "PATCH", "1.0.1"),
    ],
)
def test_a_published_version_does_not_change(
    changes: dict[str, Any], asked: str, suggested: str
) -> None:
    """It says which version the change would be."""
    found = planned(inventory(changed(**changes)), inventory(STABLE))
    [change] = found.changes
    assert (change.kind, change.asked.name) == (Kind.CHANGED, asked)
    refusal = refused(found)
    assert "published" in refusal.problem
    assert suggested in refusal.hint
    assert STABLE.reference in violations_text(found.violations)
    assert f"**refused**: {refusal.problem}. {refusal.hint}" in plan_markdown(found)


@pytest.mark.parametrize(
    ("changes", "suggested"),
    [
        ({"parameters": {"half_life_days": 3.0}}, "1.2.0"),
        (MAP, "3.0.0"),
        ({"default": 0.2}, "1.0.2"),
    ],
)
def test_a_hint_names_a_version_that_is_free(changes: dict[str, Any], suggested: str) -> None:
    """Not one that is there already."""
    others = [changed(version=version) for version in ("1.0.1", "1.1.0", "1.1.1", "2.0.0")]
    found = planned(inventory(changed(**changes), *others), inventory(STABLE, *others))
    assert suggested in refused(found).hint


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "search"},
        {"description": "Other words."},
        {"tags": ("beta",)},
        {"computation_frequency": timedelta(minutes=1)},
        {"status": Status.DEPRECATED, "deprecated_at": NOW},
        {"expectations": {"min_row_count": 7}},
        {"updated_at": NOW},
    ],
)
def test_what_users_do_not_see_may_change(changes: dict[str, Any]) -> None:
    """And is told, field by field."""
    found = planned(inventory(changed(**changes)), inventory(STABLE))
    assert not found.violations
    assert {change.field for change in found.changes[0].fields} == changes.keys()


def test_a_definition_that_is_older_than_what_is_deployed_is_refused() -> None:
    """Somebody else has deployed meanwhile."""
    newer = changed(updated_at=NOW, owner="search")
    assert (
        "updated later, on 2026-12-01" in refused(planned(inventory(STABLE), inventory(newer)))[0]
    )


def test_a_staged_version_may_change_in_any_way() -> None:
    """Nobody relies on it yet."""
    staged = changed(status=Status.STAGED)
    other = changed(staged, default=0.3, parameters={"half_life_days": 1.0})
    assert not planned(inventory(other), inventory(staged)).violations


@pytest.mark.parametrize("status", [Status.STAGED, Status.ACTIVE])
def test_a_staged_version_still_differs_no_more_than_its_number_says(status: Status) -> None:
    """From the version before it, changed in place or promoted."""
    staged = changed(version="1.2.0", status=Status.STAGED)
    other = changed(staged, status=status, **MAP)
    found = planned(inventory(STABLE, other), inventory(STABLE, staged))
    refusal = refused(found, "popularity_score==1.2.0")
    assert refusal.problem.startswith("feature_type differs from popularity_score==1.0.0")
    assert refusal.hint == "Make it 2.0.0."
    assert found.changes[0].asked.name == "MAJOR"
    # What was promoted unnoticed is found when it is promoted.
    promoted = lifecycle.promote(changed(staged, **MAP), now=NOW)
    found = planned(inventory(STABLE, promoted), inventory(STABLE, changed(staged, **MAP)))
    assert "feature_type" in refused(found, "popularity_score==1.2.0").problem
    # And what is retired needs no number.
    retired = lifecycle.retire(other, now=NOW)
    assert not planned(inventory(STABLE, retired), inventory(STABLE, staged)).violations


def test_a_version_between_two_fits_to_both() -> None:
    """Whoever asks for `^2` gets one type."""
    later = changed(version="2.1.0")
    between = changed(version="2.0.0", **MAP)
    found = planned(inventory(STABLE, between, later), inventory(STABLE, later))
    refusal = refused(found, "popularity_score==2.0.0")
    assert refusal.problem.startswith("feature_type of popularity_score==2.1.0 differs from it")


def test_another_fingerprint_is_another_computation() -> None:
    """Unless it was asked not to mind, or nobody knows what it was."""
    before, after = (
        inventory(STABLE, fingerprints={STABLE.reference: print_}) for print_ in ("aaa", "bbb")
    )
    [change] = planned(after, before).changes
    assert change.fields[0].field == "computation fingerprint"
    assert change.refusal is not None
    found = planned(after, before, trusts_fingerprints=False)
    assert not found.violations
    assert "FEATURE_STORE_ACCEPT_COMPUTATION_CHANGES" in found.notes[0]
    assert not planned(after, inventory(STABLE)).violations


@pytest.mark.parametrize(
    ("version", "changes", "problem"),
    [
        ("1.0.1", {"default": 0.2}, None),
        ("1.0.1", {"parameters": {"half_life_days": 1.0}}, "parameters"),
        ("1.1.0", {"parameters": {"half_life_days": 1.0}}, None),
        ("1.1.0", MAP, "feature_type"),
        ("2.0.0", MAP, None),
    ],
)
def test_a_new_version_rises_far_enough(
    version: str, changes: dict[str, Any], problem: str | None
) -> None:
    """Compared with the newest one before it."""
    new = changed(version=version, **changes)
    found = planned(inventory(STABLE, new), inventory(STABLE))
    assert found.changes[0].kind is Kind.ADDED
    if problem is None:
        assert not found.violations
    else:
        assert refused(found, new.reference).problem.startswith(problem)


def test_nothing_is_retired_or_removed_that_somebody_uses() -> None:
    """A feature, a feature service, a serving rule, or a version that it is to replace."""
    retired = lifecycle.retire(STABLE, now=NOW)
    deployed = inventory(STABLE)
    assert not planned(inventory(retired), deployed).violations
    found = planned(inventory(retired), deployed, rules={STABLE.reference: ["a shadow"]})
    assert "used by a shadow" in refused(found).problem
    dependent = changed(
        FEATURES["user_category_affinity==1.0.0"],
        status=Status.STAGED,
        dependencies=(STABLE.reference,),
        default_values_of=None,
    )
    both = inventory(STABLE, dependent)
    found = planned(inventory(retired, dependent), both)
    assert f"feature {dependent.reference} (recommendation)" in refused(found).problem
    replaced = lifecycle.deprecate(TRENDING, now=NOW, sunset_at=None, replaced_by=STABLE.reference)
    found = planned(inventory(retired, replaced), inventory(STABLE, replaced))
    assert f"deprecated {TRENDING.reference}, which it replaces" in refused(found).problem
    found = planned(inventory(), deployed, rules={STABLE.reference: ["a pinned version"]})
    assert "used by a pinned version" in refused(found).problem


def test_what_is_served_is_not_retired_unless_forced() -> None:
    """The plan looks again, when the decision is some days old."""
    requests = {STABLE.reference: 1_234}
    retired, forced = (lifecycle.retire(STABLE, now=NOW, forced=forced) for forced in (False, True))
    found = planned(inventory(retired), inventory(STABLE), requests=requests)
    assert "served 1,234 times in the last 7 days" in refused(found).problem
    assert not planned(inventory(forced), inventory(STABLE), requests=requests).violations
    assert not planned(inventory(retired), inventory(STABLE), requests={"other": 1}).violations


def test_only_what_is_retired_may_be_gone() -> None:
    """A version that is served must not vanish with its file; nor its values be forgotten."""
    assert "not defined any more" in refused(planned(inventory(), inventory(STABLE))).problem
    lately, long_ago = (
        inventory(changed(status=Status.RETIRED, retired_at=NOW - days * DAY)) for days in (6, 8)
    )
    assert "has its values still" in refused(planned(inventory(), lately)).problem
    stored = {STABLE.reference}
    refusal = refused(planned(inventory(), long_ago, stored=stored))
    assert "values that nothing else would find" in refusal.problem
    assert "remove-retired" in refusal.hint
    found = planned(inventory(), long_ago)
    assert [change.kind for change in found.changes] == [Kind.REMOVED]
    assert not found.violations
    staged = inventory(changed(status=Status.STAGED))
    assert "retire it" in refused(planned(inventory(), staged, stored=stored)).hint
    assert not planned(inventory(), staged).violations


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.DEPRECATED, Status.RETIRED])
def test_what_is_published_is_not_staged_again(status: Status) -> None:
    """`promote` writes down what it is."""
    published = changed(status=status, deprecated_at=None if status is Status.ACTIVE else NOW)
    found = planned(inventory(changed(status=Status.STAGED)), inventory(published))
    assert "can't be staged again" in refused(found).problem


def test_a_version_comes_back_by_decision_and_in_time() -> None:
    """Not by a file that knows nothing of its end."""
    deprecated = lifecycle.deprecate(STABLE, now=NOW - DAY, sunset_at=None, replaced_by=None)
    assert "decided later" in refused(planned(inventory(STABLE), inventory(deprecated))).problem
    by_hand = changed(deprecated, decided_at=None)
    assert (
        "nobody has brought it back"
        in refused(planned(inventory(STABLE), inventory(by_hand))).problem
    )
    back = lifecycle.rollback(deprecated, now=NOW)
    assert not planned(inventory(back), inventory(deprecated)).violations
    lately, long_ago = (
        changed(lifecycle.retire(deprecated, now=NOW - 9 * DAY), retired_at=NOW - days * DAY)
        for days in (6, 8)
    )
    assert not planned(inventory(back), inventory(lately)).violations
    assert "its values are gone" in refused(planned(inventory(back), inventory(long_ago))).problem


def test_an_older_decision_undoes_no_newer_one() -> None:
    """Of two branches, the one that was merged first is not taken back by the other."""
    first = lifecycle.deprecate(STABLE, now=NOW - 2 * DAY, sunset_at=NOW + DAY, replaced_by=None)
    second = lifecycle.deprecate(first, now=NOW - DAY, sunset_at=NOW + 30 * DAY, replaced_by=None)
    assert "2026-11-30" in refused(planned(inventory(first), inventory(second))).problem
    assert not planned(inventory(second), inventory(first)).violations
    same_time = changed(second, sunset_at=NOW + 40 * DAY)
    assert "by hand" in refused(planned(inventory(same_time), inventory(second))).hint
    # Where the decision stands does not matter, as long as it is the same.
    assert not planned(inventory(changed(second, decided_at=None)), inventory(second)).violations


@pytest.mark.parametrize(
    ("status", "of_dependency", "may_be"),
    [
        (Status.STAGED, Status.STAGED, True),
        (Status.STAGED, Status.RETIRED, False),
        (Status.ACTIVE, Status.STAGED, False),
        (Status.ACTIVE, Status.ACTIVE, True),
        (Status.ACTIVE, Status.DEPRECATED, True),
        (Status.DEPRECATED, Status.RETIRED, False),
        (Status.RETIRED, Status.RETIRED, True),
    ],
)
def test_what_is_served_is_made_from_what_is_computed(
    status: Status, of_dependency: Status, *, may_be: bool
) -> None:
    """Added, promoted, or brought back."""

    def of_status(feature: FeatureVersion, status: Status) -> FeatureVersion:
        date = NOW if status is Status.DEPRECATED else None
        return changed(feature, status=status, deprecated_at=date, decided_at=NOW)

    popularity = of_status(FEATURES["category_popularity==1.0.0"], of_dependency)
    affinity = of_status(FEATURES["user_category_affinity==1.0.0"], status)
    before = changed(affinity, status=Status.STAGED, deprecated_at=None, decided_at=None)
    for deployed in (inventory(popularity), inventory(popularity, before)):
        found = planned(inventory(popularity, changed(affinity, owner="search")), deployed)
        assert bool(found.violations) is not may_be
        if not may_be:
            problem = refused(found, affinity.reference).problem
            assert f"{popularity.reference}, which is {of_dependency}" in problem


def test_a_replacement_is_there() -> None:
    """Whoever is told to use it finds it."""
    for replacement, problem in (
        (None, "is not defined"),
        (lifecycle.retire(TRENDING, now=NOW), "is retired"),
        (TRENDING, None),
    ):
        others = [] if replacement is None else [replacement]
        deprecated = lifecycle.deprecate(
            STABLE, now=NOW, sunset_at=None, replaced_by=TRENDING.reference
        )
        found = planned(inventory(deprecated, *others), inventory(STABLE, *others))
        assert (problem is None) == (not found.violations)
        if problem:
            assert problem in refused(found).problem


def test_consumers_are_named_with_their_owners_near_and_far() -> None:
    """Whom to ask for review."""
    category, affinity = (
        FEATURES[f"{name}==1.0.0"] for name in ("category_popularity", "user_category_affinity")
    )
    services = {"recommendation_v1": [affinity.reference]}
    found = planned(
        inventory(changed(category, owner="ranking"), affinity, services=services),
        inventory(category, affinity, services=services),
        rules={affinity.reference: ["experiment e"]},
    )
    [change] = found.changes
    assert [str(consumer) for consumer in change.consumers] == [
        f"feature {affinity.reference} (recommendation)",
        "indirectly feature service recommendation_v1 (team)",
        "indirectly experiment e",
    ]
    assert found.reviewers == ["ranking", "recommendation", "team"]
    assert "For review: ranking, recommendation, team." in plan_markdown(found)
    moved = planned(inventory(changed(owner="search")), inventory(STABLE))
    assert moved.reviewers == ["ranking", "search"]
    assert plan_record(found)["changes"][0]["consumers"][1] == {
        "what": "feature service recommendation_v1",
        "owner": "team",
        "is_direct": False,
    }


def services_planned(
    was: Sequence[str], will_be: Sequence[str] | None, *features: FeatureVersion
) -> Plan:
    """Return what a change of search_v1 would be."""
    known = {**FEATURES, **{feature.reference: feature for feature in features}}.values()
    services = {} if will_be is None else {"search_v1": will_be}
    return planned(
        inventory(*known, services=services), inventory(*known, services={"search_v1": was})
    )


def test_feature_services_are_compared() -> None:
    """By what joins and what leaves."""
    services = {service.name: service.features for service in gather_services(FEATURES.values())}
    more = [*services["search_v1"], "user_activity_level==1.0.0"]
    found = services_planned(services["search_v1"], more)
    assert plan_record(found)["services"] == [
        {
            "name": "search_v1",
            "kind": "changed",
            "joining": ["user_activity_level==1.0.0"],
            "leaving": [],
            "problem": None,
            "hint": "",
        }
    ]
    assert "search_v1" in plan_markdown(found)
    assert not services_planned([STABLE.reference], [TRENDING.reference]).violations
    ended = services_planned([STABLE.reference], None)
    assert (ended.services[0].kind, ended.violations) == (Kind.REMOVED, {})


@pytest.mark.parametrize(
    ("will_be", "problem"),
    [
        ([], "popularity_score==1.0.0 leaves it"),
        (["popularity_score==3.0.0"], "feature_type of popularity_score==3.0.0 differs from"),
        (
            [STABLE.reference, "popularity_score==4.0.0"],
            "popularity_score==4.0.0, which is retired",
        ),
    ],
)
def test_a_feature_service_breaks_no_reader(will_be: Sequence[str], problem: str) -> None:
    """What does not fit is another service."""
    others = (changed(version="3.0.0", **MAP), changed(version="4.0.0", status=Status.RETIRED))
    refusal = refused(services_planned([STABLE.reference], will_be, *others), "search_v1")
    assert problem in refusal.problem
    assert ("add search_v2" in refusal.hint) == ("retired" not in problem)


def test_a_plan_tells_what_was_not_looked_at_and_what_is_late() -> None:
    """Whatever else changes."""
    late = changed(status=Status.DEPRECATED, deprecated_at=NOW - 9 * DAY, sunset_at=NOW)
    same = inventory(late)
    circumstances = Circumstances(NOW, None, unreadable={"a_v1_0_0": "odd"})
    notes = plan(same, same, circumstances).notes
    assert [note.partition(":")[0] for note in notes] == [
        "popularity_score==1.0.0 is past its sunset of 2026-12-01",
        "a_v1_0_0 is deployed, but can't be compared",
        "Serving rules were not looked at",
    ]
    assert "> Serving rules were not looked at" in plan_markdown(plan(same, same, circumstances))
