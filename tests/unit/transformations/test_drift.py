"""Drift is found when it is there, and hardly ever when it is not."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import ortho_group

from feature_repo.registry.metadata import FeatureVersion
from tests.unit.transformations.drift_samples import (
    FLOAT,
    KEYS,
    MAP,
    NUMBERS,
    STRING,
    VECTOR,
    floats,
    maps,
    of_rows,
    strings,
    vectors,
)
from transformations.drift.columns import matrix
from transformations.drift.detection import State, compare
from transformations.drift.statistics import Numbers

SIZES = ((150, 150), (150, 2_000), (2_000, 300))


def _drifted(feature: FeatureVersion, reference: pa.Array, current: pa.Array) -> set[str]:
    # Samples of unequal sizes, of as many entities.
    comparison = compare(feature, reference, current, entity_counts=(5_000, 5_000))
    return {f.distance.statistic for f in comparison.findings if f.drifted}


def test_numbers_that_did_not_drift_raise_no_alarm() -> None:
    """Less than 1 % of comparisons of resamples, over ten distributions and three sizes."""
    rng = np.random.default_rng(11)
    alarms = {
        kind: sum(
            bool(_drifted(FLOAT, floats(draw(rng, n)), floats(draw(rng, m))))
            for n, m in SIZES
            for _ in range(40)
        )
        for kind, draw in NUMBERS.items()
    }
    assert sum(alarms.values()) < 0.01 * 40 * len(SIZES) * len(NUMBERS), alarms


@pytest.mark.parametrize(
    ("feature", "draw"),
    [(STRING, strings), (MAP, maps), (VECTOR, vectors)],
    ids=["strings", "maps", "vectors"],
)
def test_other_values_that_did_not_drift_raise_no_alarm(
    feature: FeatureVersion, draw: Callable[[np.random.Generator, int], pa.Array]
) -> None:
    """Less than 1 %: keys of one entity come together, and axes are chosen by looking."""
    rng = np.random.default_rng(12)
    alarms = sum(
        bool(_drifted(feature, draw(rng, n), draw(rng, m))) for n, m in SIZES for _ in range(34)
    )
    assert alarms <= 1


@pytest.mark.parametrize("kind", NUMBERS)
def test_without_limits_chance_alone_is_no_drift(kind: str) -> None:
    """The probabilities hold by themselves: a limit of nothing does not make them cry wolf."""
    rng, draw = np.random.default_rng(13), NUMBERS[kind]
    limits = dict.fromkeys(("psi", "ks", "mean", "quantile", "null_rate"), 1e-9)
    strict = FLOAT.model_copy(update={"drift": FLOAT.drift.model_copy(update=limits)})
    alarms = sum(
        bool(_drifted(strict, floats(draw(rng, 600)), floats(draw(rng, 600)))) for _ in range(60)
    )
    assert alarms <= 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _, x: x + 0.7, {"psi", "ks", "mean", "quantile"}),
        (lambda _, x: x * 3.0, {"psi", "ks", "quantile"}),
        (lambda rng, x: np.where(rng.random(x.size) < 0.25, x + 4.0, x), {"psi", "mean"}),
        (lambda rng, x: np.where(rng.random(x.size) < 0.1, np.nan, x), {"null_rate"}),
        (lambda rng, x: np.where(rng.random(x.size) < 0.4, 0.0, x), {"psi", "ks"}),
    ],
    ids=["mean", "scale", "mixture", "nulls", "many zeros"],
)
def test_numbers_that_drifted_are_found(
    change: Callable[[np.random.Generator, Numbers], Numbers], expected: set[str]
) -> None:
    """A few hundred values are enough, each time, and the statistics that should tell do."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        reference, current = rng.normal(size=600), change(rng, rng.normal(size=400))
        assert expected <= _drifted(FLOAT, floats(reference), floats(current))


def test_a_tail_that_grows_is_found() -> None:
    """The median stays where it is; what only few have moves."""
    rng = np.random.default_rng(3)
    reference, current = rng.exponential(size=2_000), rng.exponential(size=2_000)
    current[current > np.quantile(current, 0.9)] *= 3.0
    assert "quantile" in _drifted(FLOAT, floats(reference), floats(current))


def test_a_new_string_and_one_that_is_gone_are_found() -> None:
    """By name, with the shares of entities concerned."""
    rng = np.random.default_rng(4)
    reference = strings(rng, 1_000)
    current = [{"s1": "new"}.get(text, text) for text in strings(rng, 1_000).to_pylist()]
    comparison = compare(STRING, reference, pa.array(current))
    found = {f.distance.statistic: f.distance.key for f in comparison.findings if f.drifted}
    assert (found["new_keys"], found["vanished_keys"]) == ("new", "s1")
    assert "psi" in found


def test_a_map_key_that_is_gone_is_found() -> None:
    """Also one that only few have; and a new one."""
    rng = np.random.default_rng(5)
    reference = maps(rng, 1_000)
    renamed = {KEYS[3]: "renamed"}
    current = pa.array(
        [[(renamed.get(k, k), v) for k, v in value] for value in maps(rng, 800).to_pylist()],
        reference.type,
    )
    comparison = compare(MAP, reference, current)
    found = {f.distance.statistic: f.distance.key for f in comparison.findings if f.drifted}
    assert (found["vanished_keys"], found["new_keys"]) == (KEYS[3], "renamed")


def test_items_of_one_map_key_that_drift_are_found() -> None:
    """Although all items together hardly change."""
    rng = np.random.default_rng(6)
    reference = maps(rng, 2_000)
    current = pa.array(
        [
            [(k, v / 3 if k == KEYS[7] else v) for k, v in value]
            for value in maps(rng, 2_000).to_pylist()
        ],
        reference.type,
    )
    columns = {f.column for f in compare(MAP, reference, current).findings if f.drifted}
    assert columns == {f"item of {KEYS[7]}"}


def test_rotated_vectors_are_found() -> None:
    """Their lengths stay nearly the same; where they point does not."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        rotation = ortho_group.rvs(32, random_state=seed)
        current = of_rows(matrix(vectors(rng, 500)) @ rotation)
        assert _drifted(VECTOR, vectors(rng, 500), current)


def test_vectors_of_another_length_and_nulls_are_told() -> None:
    """A vector that can't be compared counts as none."""
    rng = np.random.default_rng(7)
    rows = [None if n % 5 == 0 else row for n, row in enumerate(rng.normal(size=(500, 32)))]
    current = pa.array(rows, vectors(rng, 1).type)
    assert "null_rate" in _drifted(VECTOR, vectors(rng, 500), current)


def test_few_values_are_compared_by_their_number_and_nulls_only() -> None:
    """Fewer than a hundred tell nothing of a distribution, and nobody says that it is steady."""
    rng = np.random.default_rng(8)
    few = floats(rng.normal(size=50))
    comparison = compare(FLOAT, few, floats(rng.normal(5.0, size=500)))
    assert [f.distance.statistic for f in comparison.findings] == ["count", "null_rate"]
    assert comparison.state is State.TOO_FEW
    mostly_nulls = floats(np.where(np.arange(500) < 50, 1.0, np.nan))
    assert compare(FLOAT, mostly_nulls, mostly_nulls).state is State.TOO_FEW
    enough = floats(rng.normal(size=100))
    assert compare(FLOAT, enough, enough).state is State.STEADY


def test_few_keys_that_changed_are_drift_all_the_same() -> None:
    """What can be told of few values is told."""
    before, now = pa.array(["a"] * 40), pa.array(["b"] * 40)
    assert compare(STRING, before, before).state is State.TOO_FEW
    assert compare(STRING, before, now).state is State.DRIFTED


@pytest.mark.parametrize(
    ("before", "now", "drifted"),
    [(5_000, 99, True), (5_000, 2_600, False), (500, 5_000, False), (20, 9, False), (20, 1, True)],
)
def test_entities_that_have_gone_are_found(before: int, now: int, *, drifted: bool) -> None:
    """More than half of them, and more than chance explains; new ones are none of it."""
    values = floats(np.ones(max(before, now)))
    found = compare(FLOAT, values[:before], values[:now])
    assert [f.distance.statistic for f in found.findings if f.drifted] == ["count"] * drifted
    sampled = compare(FLOAT, values[:1], values[:1], entity_counts=(before, now))
    assert [f.distance.statistic for f in sampled.findings if f.drifted] == ["count"] * drifted


def test_no_values_at_all_are_no_drift() -> None:
    """Nothing against nothing, and something against nothing."""
    empty = pa.array([], pa.float64())
    assert not compare(FLOAT, empty, empty).findings
    assert not compare(FLOAT, floats(np.ones(500)), empty).drifted


def test_a_statistic_can_be_left_out() -> None:
    """None in a feature's metadata says so."""
    limits = FLOAT.drift.model_copy(update={"psi": None, "ks": None})
    feature = FLOAT.model_copy(update={"drift": limits})
    rng = np.random.default_rng(9)
    values = floats(rng.normal(size=500))
    statistics = {f.distance.statistic for f in compare(feature, values, values).findings}
    assert statistics == {"count", "null_rate", "mean", "quantile"}
