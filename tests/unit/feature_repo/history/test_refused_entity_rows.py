"""Entity rows take what says of which entity and instant they are, and nothing that seems to."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from feature_repo.history.entity_rows import EntityRows
from foundation.errors import ContractViolation

JUNE = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "instants",
    [
        pa.array([JUNE]),
        pa.array([date(2026, 6, 1)]),
        pa.array(["2026-06-01T02:00:00+02:00"]),
        pa.array(["2026-06-01"], pa.large_string()),
        pa.array(["2026-06-01"]).dictionary_encode(),
        pa.array([np.datetime64("2026-06-01T00:00:00.000000999")]),
    ],
)
def test_instants_in_any_form(instants: pa.Array) -> None:
    """As Arrow has them."""
    assert EntityRows.from_arrow(pa.table({"event_timestamp": instants})).instants.to_pylist() == [
        JUNE
    ]


@pytest.mark.parametrize(
    "instants",
    [
        pa.array([1_780_272_000]),
        pa.array([20_260_601]),
        pa.array([1.5]),
        pa.array([time(1)]),
        pa.array([timedelta(hours=1)]),
        pa.array([True]),
        pa.array([[JUNE]]),
    ],
)
def test_what_tells_no_instant_is_refused(instants: pa.Array) -> None:
    """Numbers, times of no day and lengths of time, with what to do about it."""
    with pytest.raises(ContractViolation, match=r"(?s)event_timestamp|tells no instant.*unit='s'"):
        EntityRows.from_arrow(pa.table({"event_timestamp": instants}))


@pytest.mark.parametrize("numbers", [[1_780_272_000], [1.5], [True]])
def test_numbers_of_frames_are_refused_too(numbers: list[Any]) -> None:
    """Pandas would take them for nanoseconds, or for dates."""
    with pytest.raises(ContractViolation, match="tells no instant"):
        EntityRows.from_pandas(pd.DataFrame({"event_timestamp": numbers}))


@pytest.mark.parametrize("name", ["event_timestamp", "id"])
def test_two_columns_of_a_name_are_refused(name: str) -> None:
    """Nobody knows which one is meant."""
    columns = ["event_timestamp", "id", name]
    table = pa.Table.from_arrays([pa.array(["2026-06-01"])] * 3, names=columns)
    with pytest.raises(ContractViolation, match=f"more than one column is called '{name}'"):
        EntityRows.from_arrow(table)
    with pytest.raises(ContractViolation, match=f"more than one column is called '{name}'"):
        EntityRows.from_pandas(pd.DataFrame([["2026-06-01"] * 3], columns=columns))


def test_the_only_column_of_instants_is_taken() -> None:
    """A column of times is none."""
    rows = EntityRows.from_arrow(pa.table({"at": [JUNE], "opens": [time(9)]}))
    assert rows.timestamp_column == "at"
    with pytest.raises(ContractViolation, match="no column 'event_timestamp'"):
        EntityRows.from_arrow(pa.table({"opens": [time(9)]}))


def test_the_hint_for_ids_with_a_point_makes_ids_of_them() -> None:
    """As they were before a missing one made numbers of them."""
    frame = pd.DataFrame({"event_timestamp": [JUNE, JUNE], "id": [1.0, None]})
    with pytest.raises(ContractViolation) as raised:
        EntityRows.from_pandas(frame).entities(["id"])
    exec(raised.value.hint, {"frame": frame})  # noqa: S102 - it is ours
    entities = EntityRows.from_pandas(frame).entities(["id"])
    assert entities.ids.to_pylist() == ["1"]
    assert entities.codes.to_pylist() == [0, None]
