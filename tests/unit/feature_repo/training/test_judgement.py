"""Each answer gets the verdict that it deserves; popularity is kept hourly, tolerated 5 minutes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from feature_repo.history.columns import FeatureColumn, WantedColumn, Watermark
from feature_repo.history.entity_rows import INSTANT
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES
from feature_repo.stores.run_facts import PublishedRun
from feature_repo.training.answers import ServedValue
from feature_repo.training.judgement import FeatureParity, Known, judge
from foundation.errors import ContractViolation

FEATURES = {feature.reference: feature for feature in gather_features()}
POPULARITY = FEATURES["popularity_score==1.0.0"]
# Each of its runs is kept.
ACTIVITY = FEATURES["user_activity_level==1.0.0"]
SEARCH = FEATURES["search_keyword_score==1.0.0"]
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

Found = tuple[Any, float | None]  # a value, and of how many minutes after noon
NOTHING: Found = (None, None)


def _answer(value: object, at: float | None, *, tier: str | None = "online") -> ServedValue:
    """Return an answer given at half past twelve."""
    return ServedValue(
        answered_at=NOON + 30 * MINUTE,
        feature="ignored",
        keys={},
        value=value,
        served_from=tier,
        event_timestamp=None if at is None else NOON + at * MINUTE,
    )


def _column(feature: FeatureVersion, found: Found) -> FeatureColumn:
    value, at = found
    return FeatureColumn(
        wanted=WantedColumn(feature, feature.join_keys, feature.feature_name),
        values=pa.array([value], VALUE_TYPES[feature.feature_type]),
        timestamps=pa.array([None if at is None else NOON + at * MINUTE], INSTANT),
        computed_count=0,
        watermark=Watermark(),
    )


def _judge(
    answer: ServedValue,
    found: Found,
    *,
    before: Found | None = None,
    runs: Sequence[float | tuple[float, float, float]] = (),
    feature: FeatureVersion = POPULARITY,
    on_demand: bool = False,
    recorded_since: datetime | None = None,
) -> FeatureParity:
    """Judge an answer; of each run, the minute after noon and maybe what its values are within."""
    published = [run if isinstance(run, tuple) else (run, None, None) for run in runs]
    known = Known(
        at_answer=_column(feature, found),
        long_before=_column(feature, found if before is None else before),
        runs=[PublishedRun(NOON + at * MINUTE, *bounds) for at, *bounds in published],
        recorded_since=NOON - 60 * MINUTE if recorded_since is None else recorded_since,
        on_demand=on_demand,
    )
    return judge([answer], known)


def _verdict(answer: ServedValue, found: Found, **more: Any) -> str:  # noqa: ANN401 - of _judge
    parity = _judge(answer, found, **more)
    names = ("same", "different", "outdated", "withheld", "unrecorded", "lost", "not_kept")
    given = [n for n in (*names, "behind", "unserved") if getattr(parity, n)]
    assert len(given) == 1, given
    assert parity.skewed_count == (
        given[0] in {"different", "outdated", "withheld", "unrecorded", "lost"}
    )
    assert parity.compared_count == (given[0] == "same") + parity.skewed_count
    return given[0]


def test_a_value_of_the_same_instant() -> None:
    """Is the same, or is not; Redis tells milliseconds only."""
    assert _verdict(_answer(0.5, 0), (0.5, 0)) == "same"
    assert _verdict(_answer(0.5, 0), (0.5, 0.000016)) == "same"
    assert _verdict(_answer(0.6, 0), (0.5, 0)) == "different"
    assert _judge(_answer(0.625, 0), (0.5, 0)).largest_difference == 0.125
    assert _verdict(_answer(None, None), NOTHING) == "same"
    assert _verdict(_answer(0.1, None, tier="default"), NOTHING) == "same"


def test_a_value_that_newer_ones_had_overtaken() -> None:
    """For longer than the tolerance: then it is a difference, unless it makes none."""
    old = _answer(0.4, -60)
    assert _verdict(old, (0.5, 0)) == "outdated"
    assert _verdict(old, (0.5, 0), before=(0.4, -60)) == "behind"
    assert _verdict(old, (0.5, 0), before=NOTHING) == "behind"
    assert _verdict(old, (0.4, 0)) == "behind"
    # What training does not look back to any more must not have been served either.
    assert _verdict(_answer(0.4, -60), NOTHING, runs=[-60]) == "outdated"
    assert _verdict(_answer(0.4, -30), NOTHING, runs=[-30]) == "not_kept"


def test_a_default_though_there_was_a_value() -> None:
    """For longer than the tolerance, and another one than the default."""
    default = _answer(0.1, None, tier="default")
    for answer in (default, _answer(None, None, tier=None)):
        assert _verdict(answer, (0.5, 0)) == "withheld"
        assert _verdict(answer, (0.5, 0), before=NOTHING) == "unserved"
    assert _verdict(default, (0.1, 0)) == "unserved"


def test_a_value_of_a_run_that_is_not_kept() -> None:
    """There must have been such a run, and it must have had such values."""
    runs = [(20.0, 0.25, 0.75), 25.0]
    assert _verdict(_answer(0.6, 20), (0.5, 0), runs=runs) == "not_kept"
    assert _verdict(_answer(0.6, 20.00001), (0.5, 0), runs=runs) == "not_kept"
    assert _verdict(_answer(0.9999, 20), (0.5, 0), runs=runs) == "unrecorded"
    assert _verdict(_answer(0.9999, 25), (0.5, 0), runs=runs) == "not_kept"
    for between in (15, 22, 28):
        assert _verdict(_answer(0.5, between), (0.5, 0), runs=runs) == "unrecorded"
    assert _verdict(_answer(0.5, 20), (0.5, 0)) == "unrecorded"


def test_a_value_of_a_run_whose_record_may_be_gone() -> None:
    """Nobody can tell any more; what is on record still counts."""
    later = NOON + 22 * MINUTE
    for runs in ([], [(20.0, 0.25, 0.75)]):
        answer = _answer(0.5, 21)
        assert _verdict(answer, (0.6, 0), runs=runs, recorded_since=later) == "not_kept"
        assert _verdict(answer, (0.6, 0), runs=runs) == "unrecorded"
    runs = [(20.0, 0.25, 0.75)]
    beyond = _answer(0.9, 20)
    assert _verdict(beyond, (0.6, 0), runs=runs, recorded_since=later) == "unrecorded"


def test_a_value_that_may_have_been_computed_on_demand() -> None:
    """It is from no run, but one that has a run's instant has to be within its values."""
    runs = [(20.0, 0.25, 0.75)]
    computed = _answer(0.9, 22)
    assert _verdict(computed, (0.5, 0), runs=runs, on_demand=True) == "not_kept"
    assert _verdict(computed, (0.5, 0), on_demand=True) == "not_kept"
    assert _verdict(_answer(0.9, 20), (0.5, 0), runs=runs, on_demand=True) == "unrecorded"
    assert _verdict(_answer(0.9, None, tier="on_demand"), NOTHING) == "not_kept"


def test_a_run_that_the_history_should_hold() -> None:
    """Of a feature of which each run is kept."""
    answer = _answer(0.6, 20)
    assert _verdict(answer, (0.5, 0), feature=ACTIVITY, runs=[20]) == "lost"
    assert _verdict(answer, (0.6, 20), feature=ACTIVITY) == "same"


def test_what_is_computed_for_each_request_is_compared_but_not_demanded() -> None:
    """Its inputs may have been newer than what training knows."""
    answer = _answer(0.6, 30, tier="on_demand")
    parity = _judge(answer, (0.5, None), feature=SEARCH, on_demand=True)
    assert (parity.different, parity.is_skewed) == (1, False)


@pytest.mark.parametrize(
    ("reference", "value", "other"),
    [
        ("user_category_affinity==1.0.0", {"a": 0.5, "b": 1.0}, {"a": 0.5}),
        ("user_factors==1.0.0", [0.5, 0.25], [0.5, 0.5]),
    ],
)
def test_maps_and_vectors(reference: str, value: Any, other: Any) -> None:  # noqa: ANN401
    """Are compared as a whole."""
    feature = FEATURES[reference]
    found = (list(value.items()) if isinstance(value, Mapping) else value, 0.0)
    assert _verdict(_answer(value, 0), found, feature=feature) == "same"
    assert _verdict(_answer(other, 0), found, feature=feature) == "different"
    with pytest.raises(ContractViolation, match=reference):
        _judge(_answer("text", 0), found, feature=feature)
