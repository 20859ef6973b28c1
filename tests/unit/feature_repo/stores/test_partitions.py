"""The months of the history, as PostgreSQL describes them, and what they leave out."""

from datetime import UTC, datetime

import pytest

from feature_repo.stores.partitions import Month, gaps, month


def _day(number: int) -> datetime:
    return datetime(2026, 6, number, tzinfo=UTC)


def _part(start: int, end: int) -> Month:
    return Month(f"{start}-{end}", _day(start), _day(end))


def test_bounds_are_read_as_postgresql_writes_them() -> None:
    """With the session's time zone, whatever it is."""
    bounds = "FOR VALUES FROM ('2026-06-01 00:00:00+00') TO ('2026-07-01 02:00:00+02')"
    june = Month("june", datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    assert month("june", bounds) == june


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        ([], [(10, 20)]),
        ([(1, 30)], []),
        ([(10, 20)], []),
        ([(1, 10), (20, 30)], [(10, 20)]),
        ([(5, 12)], [(12, 20)]),
        ([(18, 25)], [(10, 18)]),
        ([(12, 14), (14, 15), (17, 18)], [(10, 12), (15, 17), (18, 20)]),
        ([(21, 22)], [(10, 20)]),
    ],
)
def test_what_no_month_covers(found: list[tuple[int, int]], missing: list[tuple[int, int]]) -> None:
    """Of the time that is asked for, and of no other."""
    parts = [_part(*each) for each in found]
    expected = [(_day(start), _day(end)) for start, end in missing]
    assert gaps(parts, start=_day(10), end=_day(20)) == expected


def test_no_time_has_no_gaps() -> None:
    """Whatever there is."""
    assert gaps([], start=_day(10), end=_day(10)) == []
