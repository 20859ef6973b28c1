"""The join of rows and values against a slow, obvious reference."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.history.asof import newest
from feature_repo.history.entity_rows import INSTANT

START = datetime(2026, 6, 1, tzinfo=UTC)
# Few, so that values and rows meet; and one that has most of the values.
codes = st.sampled_from([0, 0, 0, 0, 1, 2, 7])
instants = st.integers(0, 30).map(lambda step: START + step * timedelta(seconds=1))
values = st.lists(st.tuples(codes, instants, instants), max_size=60)
rows = st.lists(st.tuples(st.one_of(codes, st.none()), st.one_of(instants, st.none())), max_size=30)


@given(rows=rows, values=values, seconds=st.integers(0, 30), known_then=st.booleans())
def test_each_row_gets_the_newest_that_counts(
    rows: list[tuple[int | None, datetime | None]],
    values: list[tuple[int, datetime, datetime]],
    *,
    seconds: int,
    known_then: bool,
) -> None:
    """Whatever the order, however many of one entity or timestamp."""
    look_back = timedelta(seconds=seconds)
    expected = []
    for code, at in rows:
        counting = [
            (timestamp, created if known_then else START, place)
            for place, (entity, timestamp, created) in enumerate(values)
            if entity == code
            and at is not None
            and at - look_back <= timestamp <= at
            and (not known_then or created <= at)
        ]
        expected.append(max(counting)[2] if counting else None)
    found = newest(
        pa.array([code for code, _ in rows], pa.int32()),
        pa.array([at for _, at in rows], INSTANT),
        pa.table(
            {
                "entity": pa.array([entity for entity, _, _ in values], pa.int32()),
                "timestamp": pa.array([at for _, at, _ in values], INSTANT),
                "created": pa.array([created for _, _, created in values], INSTANT),
            }
        ),
        look_back=look_back,
        known_then=known_then,
    )
    assert found.to_pylist() == expected
