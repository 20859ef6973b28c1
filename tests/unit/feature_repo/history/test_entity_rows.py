"""Entity rows: their instants and their entities, from tables of every kind."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from feature_repo.history.entity_rows import EntityRows
from foundation.errors import ContractViolation

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def _rows(instants: pa.Array, **columns: pa.Array) -> EntityRows:
    return EntityRows.from_arrow(pa.table({"event_timestamp": instants, **columns}))


@pytest.mark.parametrize(
    "instants",
    [
        pa.array([NOON], pa.timestamp("us", "UTC")),
        pa.array([NOON], pa.timestamp("s", "Asia/Tokyo")),
        pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ms")),
        pa.array([NOON], pa.timestamp("ns", "UTC")),
        pa.array(["2026-06-01T12:00:00Z"]),
        pa.array(["2026-06-01T14:00:00+02:00"]),
        pa.array(["2026-06-01 12:00"]),
    ],
)
def test_instants_of_every_type(instants: pa.Array) -> None:
    """Naive ones are of UTC."""
    rows = _rows(instants)
    assert rows.instants.to_pylist() == [NOON]
    assert rows.bounds() == (NOON, NOON)


def test_nanoseconds_are_rounded_down() -> None:
    """Before 1970, too: a row must not know what comes after it."""
    nanoseconds = pa.array([1_999, -1, None], pa.timestamp("ns", "UTC"))
    microseconds = _rows(nanoseconds).instants.cast(pa.int64()).to_pylist()
    assert microseconds == [1, -1, None]


@pytest.mark.parametrize("instants", [[], [None]])
def test_rows_without_instants_have_no_bounds(instants: list[None]) -> None:
    """They are rows all the same."""
    rows = _rows(pa.array(instants, pa.timestamp("us", "UTC")))
    assert rows.bounds() is None
    assert len(rows.instants) == len(instants)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00", "9999-12-31T00:00:00"])
def test_the_first_and_the_last_instant(text: str) -> None:
    """Beyond them Python knows none, and neither do we."""
    instant = datetime.fromisoformat(text).replace(tzinfo=UTC)
    assert _rows(pa.array([instant, None], pa.timestamp("us", "UTC"))).bounds() == (
        instant,
        instant,
    )
    beyond = timedelta(days=1) if instant.year > 1 else timedelta(days=-1)
    outside = np.array([text], "datetime64[us]") + np.timedelta64(beyond)
    with pytest.raises(ContractViolation, match="event_timestamp: 1 timestamps are infinite"):
        _rows(pa.array(outside))


def test_the_column_of_timestamps_is_found() -> None:
    """By its name, or because there is no other one."""
    instants = pa.array([NOON], pa.timestamp("us", "UTC"))
    assert EntityRows.from_arrow(pa.table({"at": instants})).timestamp_column == "at"
    with pytest.raises(ContractViolation, match="no column 'event_timestamp'"):
        EntityRows.from_arrow(pa.table({"at": instants, "seen": instants}))
    with pytest.raises(ContractViolation, match="no column 'event_timestamp'"):
        EntityRows.from_arrow(pa.table({"label": [1.0]}))


@pytest.mark.parametrize(
    ("keys", "ids"),
    [
        (pa.array(["a", "b:c", "a", None]), ["a", "b%3Ac", "a", None]),
        (pa.array([1, 22, 1, None]), ["1", "22", "1", None]),
        (pa.array(["a", "é", "a", None], pa.large_string()), ["a", "é", "a", None]),
        (pa.array(["a", "é", "a", None]).dictionary_encode(), ["a", "é", "a", None]),
        (pa.nulls(4), [None] * 4),
    ],
)
def test_entities_are_numbered(keys: pa.Array, ids: list[str | None]) -> None:
    """Each once; a row without a key has no entity."""
    entities = _rows(pa.array([NOON] * 4, pa.timestamp("us", "UTC")), key=keys).entities(["key"])
    assert entities.ids.take(entities.codes).to_pylist() == ids
    assert len(entities.ids) == len({each for each in ids if each is not None})


def test_several_keys_make_one_entity() -> None:
    """In the order that is asked for; a row that lacks one has none."""
    instants = pa.array([NOON] * 3, pa.timestamp("us", "UTC"))
    rows = _rows(instants, a=pa.array(["1", "x:", None]), b=pa.array([23, 4, 5]))
    for keys, ids in ((["a", "b"], ["1:23", "x%3A:4"]), (["b", "a"], ["23:1", "4:x%3A"])):
        entities = rows.entities(keys)
        assert entities.ids.to_pylist() == ids
        assert entities.codes.to_pylist() == [0, 1, None]


def test_what_is_no_table_is_refused() -> None:
    """A column whose values are of several types."""
    frame = pd.DataFrame({"event_timestamp": [NOON, NOON], "product_id": ["a", 1.5]})
    with pytest.raises(ContractViolation, match="Each column must be of one type"):
        EntityRows.from_pandas(frame)
