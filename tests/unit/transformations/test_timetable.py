"""Runs start so early that their values land before the last ones expire."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.registry.metadata import FeatureVersion, Status
from tests.unit.feature_repo.registry.test_metadata import COMPLETE
from transformations.jobs import Job, jobs_of
from transformations.timetable import (
    Wave,
    first_night,
    first_start,
    next_night,
    period,
    waves_of,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FIVE_MINUTES, DAY = timedelta(minutes=5), timedelta(days=1)


def _feature(name: str, **changes: Any) -> FeatureVersion:  # noqa: ANN401 - any field
    fields = {"feature_name": name, "status": Status.ACTIVE, "staleness_tolerance": FIVE_MINUTES}
    fields |= {"computation_frequency": FIVE_MINUTES, "version": "1.0.0"}
    return FeatureVersion.model_validate({**COMPLETE, **fields, **changes})


def _wave(*features: FeatureVersion) -> Wave:
    [wave] = waves_of(jobs_of(features))
    return wave


def test_dependents_run_in_the_wave_of_what_they_depend_on() -> None:
    """As long as both have the same frequency; others have waves of their own."""
    features = [
        _feature("a", dependencies=("b==1.0.0",)),
        _feature("b", dependencies=("c==1.0.0",)),
        _feature("c", computation_frequency=DAY),
        _feature("d", dependencies=("b==1.0.0", "e==1.0.0")),
        _feature("e"),
        _feature("f"),
        _feature("g", computation_frequency=None),
    ]
    waves = [[job.name[0] for job in wave.jobs] for wave in waves_of(jobs_of(features))]
    assert sorted(map(sorted, waves)) == [["a", "b", "d", "e"], ["c"], ["f"]]
    [together] = [wave for wave in waves if len(wave) == 4]
    assert together.index("b") < together.index("a")
    assert max(together.index("b"), together.index("e")) < together.index("d")


@given(
    durations=st.lists(
        st.floats(0.1, 120).map(lambda seconds: timedelta(seconds=seconds)), min_size=1
    )
)
def test_values_land_before_the_last_ones_expire(durations: list[timedelta]) -> None:
    """Even if the next run takes as long as the longest of the recent ones."""
    wave = _wave(_feature("a"))
    length = period(wave, {"a==1.0.0": durations})
    assert length + max(durations) < FIVE_MINUTES
    assert length > timedelta(0)


def test_a_run_waits_for_those_before_it() -> None:
    """A dependent lands later by its dependency's duration, so both start earlier."""
    wave = _wave(_feature("a", dependencies=("b==1.0.0",)), _feature("b"))
    minute = timedelta(minutes=1)
    durations = {"a==1.0.0": [minute], "b==1.0.0": [minute]}
    assert period(wave, durations) + 2 * minute < FIVE_MINUTES


def test_a_frequency_above_the_tolerance_is_kept() -> None:
    """What lives long is computed as often as it is wished, not less."""
    wave = _wave(_feature("a", staleness_tolerance=DAY))
    assert period(wave, {"a==1.0.0": [timedelta(seconds=3)]}) == FIVE_MINUTES


def test_a_job_slower_than_its_tolerance_runs_all_the_time() -> None:
    """Nothing can keep its values fresh, but it does not run backwards."""
    assert period(_wave(_feature("a")), {"a==1.0.0": [DAY]}) == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ({}, NOW),
        ({"a==1.0.0": NOW - timedelta(hours=1)}, NOW),
        ({"a==1.0.0": NOW - timedelta(minutes=1)}, NOW + timedelta(minutes=3)),
    ],
)
def test_what_was_computed_just_now_is_not_computed_again(
    last: dict[str, datetime], expected: datetime
) -> None:
    """A schedule that starts anew goes on where the last one ended."""
    wave = Wave(jobs=[Job((_feature("a"),), ())], frequency=FIVE_MINUTES)
    assert first_start(wave, last, timedelta(minutes=4), now=NOW) == expected


def test_a_night_that_was_missed_is_made_up_for() -> None:
    """At the start; from then on ten minutes after each midnight, UTC."""
    for minutes, first in ((0, 10), (9, 10), (10, 10), (11, 11), (1_439, 1_439)):
        now = NOW + timedelta(minutes=minutes)
        assert first_night(now) == NOW + timedelta(minutes=first)
        assert next_night(now) == NOW + DAY + timedelta(minutes=10)
