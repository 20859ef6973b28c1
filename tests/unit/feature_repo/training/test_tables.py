"""What is printed about a training set says what there is to say."""

from datetime import timedelta

from feature_repo.training.settled_instant import Settled
from feature_repo.training.tables import lag_line, manifest_table
from tests.unit.feature_repo.training.sets import KNOWN_AT, training_set


def test_a_long_lag_is_told() -> None:
    """With who causes it."""
    assert lag_line(Settled(KNOWN_AT, timedelta(seconds=5), "role jobs, process 7")) == ""
    line = lag_line(Settled(KNOWN_AT, timedelta(hours=2), "role jobs, process 7"))
    assert "2:00:00" in line
    assert "role jobs, process 7" in line


def test_how_the_set_was_made_is_told() -> None:
    """Of values that were known then, or of those that are known now."""
    entities, features = {"id": ["a"]}, {"one==1.0.0": ("one", [0.5])}
    now = manifest_table(training_set(entities, features).manifest)
    then = manifest_table(training_set(entities, features, known_then=True).manifest)
    assert str(now.caption).startswith("As known at 2026-06-02")
    assert str(then.caption).startswith("As known then, and at 2026-06-02")
