"""The join of rows and values, example by example."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from feature_repo.history.asof import newest
from feature_repo.history.entity_rows import INSTANT

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)


def _found(
    rows: Sequence[tuple[int | None, datetime | None]],
    values: Sequence[tuple[int, datetime, datetime]],
    *,
    look_back: timedelta = DAY,
    known_then: bool = False,
) -> list[int | None]:
    """Return the places of values (entity, timestamp, created) found for rows (entity, instant)."""
    places: list[int | None] = newest(
        pa.array([code for code, _ in rows], pa.int32()),
        pa.array([at for _, at in rows], INSTANT),
        pa.table(
            {
                "entity": pa.array([value[0] for value in values], pa.int32()),
                "timestamp": pa.array([value[1] for value in values], INSTANT),
                "created": pa.array([value[2] for value in values], INSTANT),
            }
        ),
        look_back=look_back,
        known_then=known_then,
    ).to_pylist()
    return places


def test_the_newest_value_that_is_not_from_later_is_found() -> None:
    """Of the row's own entity, in whatever order the values come."""
    values = [(1, NOON, NOON), (0, NOON + HOUR, NOON), (0, NOON - HOUR, NOON), (0, NOON, NOON)]
    rows = [(0, NOON), (0, NOON - MICROSECOND), (1, NOON + HOUR), (0, NOON + 2 * HOUR), (1, NOON)]
    assert _found(rows, values) == [3, 2, 0, 1, 0]


def test_nothing_is_found_where_there_is_nothing() -> None:
    """No entity, no instant, no value of the entity, only later ones, or none at all."""
    rows = [(None, NOON), (0, None), (2, NOON), (0, NOON - HOUR)]
    assert _found(rows, [(0, NOON, NOON), (3, NOON, NOON)]) == [None] * 4
    assert _found(rows, []) == [None] * 4
    assert _found([], [(0, NOON, NOON)]) == []


def test_the_look_back_includes_its_end() -> None:
    """A value exactly so old counts."""
    rows = [(0, NOON + HOUR), (0, NOON + HOUR + MICROSECOND)]
    assert _found(rows, [(0, NOON, NOON)], look_back=HOUR) == [0, None]


def test_of_one_timestamp_the_last_counts() -> None:
    """It is what was read last: the latest value comes after the history."""
    assert _found([(0, NOON)], [(0, NOON, NOON), (1, NOON, NOON), (0, NOON, NOON)]) == [2]


def test_a_value_counts_from_when_it_was_written() -> None:
    """One that came late counts from then on, if no newer one counted before."""
    values = [
        (0, NOON, NOON + 3 * HOUR),
        (0, NOON + HOUR, NOON + 2 * HOUR),
        (0, NOON - HOUR, NOON - HOUR),
    ]
    rows = [(0, NOON + hours * HOUR) for hours in (-1, 0, 1, 2, 3)]
    assert _found(rows, values, known_then=True) == [2, 2, 2, 1, 1]
    assert _found(rows, values) == [2, 0, 1, 1, 1]


def test_a_correction_counts_from_when_it_was_written() -> None:
    """Until then the value before it does; one that is written before its time waits for it."""
    values = [(0, NOON, NOON + 2 * HOUR), (0, NOON, NOON), (0, NOON + HOUR, NOON)]
    rows = [(0, NOON), (0, NOON + HOUR - MICROSECOND), (0, NOON + HOUR), (0, NOON + 2 * HOUR)]
    assert _found(rows, values, known_then=True) == [1, 1, 2, 2]
    assert _found([(0, NOON + 2 * HOUR)], values[:2], known_then=True) == [0]
