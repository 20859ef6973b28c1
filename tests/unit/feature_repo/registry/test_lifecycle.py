"""Where versions are in their life, and how they move on."""

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

    feature = kept(lifecycle.promote(STAGED))
    assert feature.status is Status.ACTIVE
    feature = kept(
        lifecycle.deprecate(
            feature, now=NOW, sunset_at=NOW + 30 * DAY, replaced_by=ACTIVE.reference
        )
    )
    assert (feature.status, feature.sunset_at) == (Status.DEPRECATED, NOW + 30 * DAY)
    feature = kept(lifecycle.retire(feature, now=NOW + DAY))
    assert (feature.status, feature.retired_at) == (Status.RETIRED, NOW + DAY)
    feature = kept(lifecycle.rollback(feature, now=NOW + 8 * DAY))
    assert (feature.status, feature.deprecated_at, feature.retired_at) == (
        Status.ACTIVE,
        None,
        None,
    )
    write_state(lifecycle.retire(ACTIVE, now=NOW), file)
    assert read_states(file).keys() == {ACTIVE.reference, STAGED.reference}
    assert [path.name for path in tmp_path.iterdir()] == ["lifecycle.yaml"]
    (tmp_path / "other").touch()
    assert file.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_steps_that_skip_another_are_refused() -> None:
    """And a version whose values are gone does not come back."""
    with pytest.raises(ContractViolation, match="is active; what can be promoted is staged"):
        lifecycle.promote(ACTIVE)
    with pytest.raises(ContractViolation, match="is staged"):
        lifecycle.deprecate(STAGED, now=NOW, sunset_at=None, replaced_by=None)
    with pytest.raises(ContractViolation, match="not in the future"):
        lifecycle.deprecate(ACTIVE, now=NOW, sunset_at=NOW, replaced_by=None)
    retired = lifecycle.retire(ACTIVE, now=NOW)
    with pytest.raises(ContractViolation, match="is retired"):
        lifecycle.retire(retired, now=NOW)
    with pytest.raises(ContractViolation, match="values are gone"):
        lifecycle.rollback(retired, now=NOW + 8 * DAY)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nothing==1.0.0: {status: active}", "'nothing==1.0.0' is not defined"),
        ("popularity_score==1.0.0: {owner: me}", "only status"),
        ("popularity_score==1.0.0: {status: deprecated}", "deprecated_at"),
        ("popularity_score==1.0.0: {status: odd}", "popularity_score==1.0.0"),
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
