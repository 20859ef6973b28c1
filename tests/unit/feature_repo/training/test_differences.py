"""What is different between two training sets is told, all of it."""

from pathlib import Path

import pytest

from feature_repo.training.building import ROWS_FILE
from feature_repo.training.differences import differences
from feature_repo.training.folder import write
from foundation.errors import ContractViolation
from tests.unit.feature_repo.training.sets import Columns, Features, training_set

ENTITIES: Columns = {"id": ["a", "b"], "event_timestamp": [1, 2]}
ONE: Features = {"one==1.0.0": ("one", [0.5, None])}
TWO: Features = {"two==1.0.0": ("two", ["x", "y"])}


def _differences(
    folder: Path,
    second: Features,
    *,
    entities: Columns = ENTITIES,
    **changes: object,
) -> list[str]:
    write(training_set(ENTITIES, {**ONE, **TWO}), folder / "first", replace=True)
    write(training_set(entities, second, **changes), folder / "second", replace=True)
    return differences(folder / "first", folder / "second")


def test_equal_sets_are_the_same(tmp_path: Path) -> None:
    """Nothing is to be told."""
    assert _differences(tmp_path, {**ONE, **TWO}) == []


def test_values_names_and_order(tmp_path: Path) -> None:
    """Each feature is found again, wherever its column is and whatever it is called."""
    assert _differences(tmp_path, {**ONE, "two==1.0.0": ("two", ["x", "z"])}) == [
        "two==1.0.0: 1 of 2 values are different"
    ]
    renamed = {**ONE, "two==1.0.0": ("two_v1_0_0__two", ["x", "y"])}
    assert _differences(tmp_path, renamed) == ["two==1.0.0, column: two / two_v1_0_0__two"]
    assert _differences(tmp_path, {**TWO, **ONE}) == [
        "order of the features: one==1.0.0, two==1.0.0 / two==1.0.0, one==1.0.0"
    ]
    assert _differences(tmp_path, {**ONE, "three==1.0.0": ("two", ["x", "y"])}) == [
        "two==1.0.0: only in the first",
        "three==1.0.0: only in the second",
    ]


def test_rows(tmp_path: Path) -> None:
    """Of other rows nothing can be compared; values of any type are looked at."""
    both = {**ONE, **TWO}
    more: Columns = {"id": ["a", "b", "c"], "event_timestamp": [1, 2, 3]}
    three = {reference: (name, [*v, None]) for reference, (name, v) in both.items()}
    assert "rows: 2 / 3" in _differences(tmp_path, three, entities=more)
    other = {**ENTITIES, "id": ["a", "c"]}
    assert _differences(tmp_path, both, entities=other) == ["entity rows: other values of id"]
    structs = {**ENTITIES, "id": [{"a": 1}, {"a": 2}]}
    assert _differences(tmp_path, both, entities=structs) == ["entity rows: other values of id"]


def test_what_the_manifests_say(tmp_path: Path) -> None:
    """Though the values are the same."""
    both = {**ONE, **TWO}
    assert _differences(tmp_path, both, known_then=True) == ["known_then: False / True"]
    assert _differences(tmp_path, both, environment={"python": "3.12"}) == [
        "environment, python: 3.11 / 3.12"
    ]


def test_a_file_that_was_changed_is_no_difference_but_an_error(tmp_path: Path) -> None:
    """Even if the manifests say that it is the same."""
    write(training_set(ENTITIES, ONE), tmp_path / "first", replace=False)
    write(training_set(ENTITIES, ONE), tmp_path / "second", replace=False)
    with (tmp_path / "second" / ROWS_FILE).open("ab") as output:
        output.write(b"x")
    with pytest.raises(ContractViolation, match="has changed"):
        differences(tmp_path / "first", tmp_path / "second")
