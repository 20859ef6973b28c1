"""Where versions are in their life, and how they move on."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feature_repo.registry import lifecycle
from feature_repo.registry.gather import gather_features
from feature_repo.registry.lifecycle import read_states, with_states, write_state
from feature_repo.registry.metadata import FeatureVersion, Status
from foundation.errors import ContractViolation, DefinitionError

FEATURES = gather_features()
ACTIVE = next(f for f in FEATURES if f.reference == "popularity_score==1.0.0")
STAGED = next(f for f in FEATURES if f.reference == "popularity_score==2.0.0")
NOW = datetime(2026, 12, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_life(tmp_path: Path) -> None:
    """Staged, active, deprecated, retired, back again; each step is written down."""
    file = tmp_path / "lifecycle.yaml"

    def kept(feature: FeatureVersion) -> FeatureVersion:
        write_state(feature, file)
        found = {f.reference: f for f in with_states(FEATURES, read_states(file))}
        assert found[feature.reference] == feature
        return found[feature.reference]

    feature = kept(lifecycle.promote(STAGED, now=NOW))
    assert (feature.status, feature.decided_at) == (Status.ACTIVE, NOW)
    sunset = NOW + 30 * DAY
    feature = kept(
        lifecycle.deprecate(feature, now=NOW, sunset_at=sunset, replaced_by=ACTIVE.reference)
    )
    assert (feature.status, feature.sunset_at) == (Status.DEPRECATED, sunset)
    feature = kept(lifecycle.retire(feature, now=NOW + DAY, forced=True))
    assert (feature.status, feature.forced) == (Status.RETIRED, True)
    feature = kept(lifecycle.rollback(feature, now=NOW + 8 * DAY))
    assert feature == lifecycle.promote(STAGED, now=NOW + 8 * DAY)
    write_state(lifecycle.retire(ACTIVE, now=NOW), file)
    assert read_states(file).keys() == {ACTIVE.reference, STAGED.reference}
    assert [path.name for path in tmp_path.iterdir()] == ["lifecycle.yaml"]
    (tmp_path / "other").touch()
    assert file.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_nobody_who_writes_loses_what_another_wrote(tmp_path: Path) -> None:
    """They take turns."""
    file = tmp_path / "lifecycle.yaml"
    retired = [lifecycle.retire(feature, now=NOW) for feature in FEATURES]
    with ThreadPoolExecutor(len(retired)) as writers:
        list(writers.map(lambda feature: write_state(feature, file), retired))
    assert read_states(file).keys() == {feature.reference for feature in FEATURES}


def test_a_sunset_can_be_put_off() -> None:
    """What is not said stays; since when it is deprecated does anyway."""
    sunset, later = NOW + 30 * DAY, NOW + 60 * DAY
    first = lifecycle.deprecate(ACTIVE, now=NOW, sunset_at=sunset, replaced_by=STAGED.reference)
    second = lifecycle.deprecate(first, now=NOW + DAY, sunset_at=later, replaced_by=None)
    assert (second.deprecated_at, second.sunset_at) == (NOW, later)
    assert (second.replaced_by, second.decided_at) == (STAGED.reference, NOW + DAY)
    third = lifecycle.deprecate(second, now=NOW + DAY, sunset_at=None, replaced_by=None)
    assert third.sunset_at == later
    assert [lifecycle.is_past_sunset(third, now=now) for now in (sunset, later)] == [False, True]
    assert not lifecycle.is_past_sunset(lifecycle.retire(third, now=later), now=later)


def test_a_version_is_retired_since_that_was_deployed() -> None:
    """Whenever it was decided, and in each place for itself."""
    decided = lifecycle.retire(ACTIVE, now=NOW)
    for deployed, since in (
        ([], NOW + 3 * DAY),
        ([ACTIVE], NOW + 3 * DAY),
        ([decided.with_changes(retired_at=NOW + DAY)], NOW + DAY),
    ):
        [settled, other] = lifecycle.settled([decided, STAGED], deployed, now=NOW + 3 * DAY)
        assert (settled.retired_at, other) == (since, STAGED)
    assert lifecycle.can_come_back(settled, now=NOW + 8 * DAY)
    assert not lifecycle.can_come_back(settled, now=NOW + 9 * DAY)
    assert lifecycle.can_come_back(decided, now=NOW + 90 * DAY)


def test_steps_that_skip_another_are_refused() -> None:
    """And those that lead nowhere."""
    with pytest.raises(ContractViolation, match="is active; what can be promoted is staged"):
        lifecycle.promote(ACTIVE, now=NOW)
    with pytest.raises(ContractViolation, match="is staged"):
        lifecycle.deprecate(STAGED, now=NOW, sunset_at=None, replaced_by=None)
    with pytest.raises(ContractViolation, match="not in the future"):
        lifecycle.deprecate(ACTIVE, now=NOW, sunset_at=NOW, replaced_by=None)
    with pytest.raises(ContractViolation, match="can't replace itself"):
        lifecycle.deprecate(ACTIVE, now=NOW, sunset_at=None, replaced_by=ACTIVE.reference)
    with pytest.raises(ContractViolation, match="is active"):
        lifecycle.rollback(ACTIVE, now=NOW)
    with pytest.raises(ContractViolation, match="is retired"):
        lifecycle.retire(lifecycle.retire(ACTIVE, now=NOW), now=NOW)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nothing==1.0.0: {status: active}", "'nothing==1.0.0' is not defined"),
        ("popularity_score==1.0.0: {owner: me}", "only status"),
        ("popularity_score==1.0.0: {status: deprecated}", "deprecated_at"),
        ("popularity_score==1.0.0: {status: odd}", "popularity_score==1.0.0, status: "),
        ("popularity_score==1.0.0: {forced: true}", "popularity_score==1.0.0, forced: must not"),
        ("popularity_score==1.0.0: {replaced_by: popularity_score==1.0.0}", "version itself"),
        ("- a", "no mapping"),
        ("{", "lifecycle.yaml"),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    """Before anything is applied."""
    file = tmp_path / "lifecycle.yaml"
    file.write_text(text)
    with pytest.raises(DefinitionError, match=named):
        with_states(FEATURES, read_states(file))
