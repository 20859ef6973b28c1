"""Text and Parquet types become instants and numbers."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from feature_repo.ingestion.parsing import parse_instants, parse_numbers

NOON = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T12:00:00Z",
        "2024-02-29 12:00:00",
        "2024-02-29T12:00",
        "2024-02-29T14:00:00+02:00",
        "2024-02-29T06:30:00-0530",
        "2024-02-29T14:00:00.000000+02",
        "2024-02-29T12:00:00.000000999Z",
        "2024-02-29T12:00:00.000000999",
    ],
)
def test_iso_8601_is_an_instant(text: str) -> None:
    """An offset is respected, none means UTC, and digits beyond microseconds are cut off."""
    assert parse_instants(pa.array([text])).to_pylist() == [NOON]


def test_a_date_is_its_midnight() -> None:
    """A date alone is the first instant of its day in UTC."""
    midnight = datetime(2024, 2, 29, tzinfo=UTC)
    assert parse_instants(pa.array(["2024-02-29"])).to_pylist() == [midnight]
    assert parse_instants(pa.array([date(2024, 2, 29)])).to_pylist() == [midnight]


def test_culprits_are_found_between_good_texts() -> None:
    """One bad text makes no other null, wherever it stands."""
    good = "2024-02-29T12:00:00Z"
    texts = [good, "2023-02-29T12:00:00Z", None, "soon", good, "", good, "2024-02-29T25:00:00"]
    expected = [NOON, None, None, None, NOON, None, NOON, None]
    assert parse_instants(pa.array(texts)).to_pylist() == expected


@pytest.mark.parametrize(
    "text", ["0000-01-01", "0001-01-01T00:00:00+01:00", "9999-12-31T23:30:00-01:00"]
)
def test_years_that_postgres_or_python_lack_are_null(text: str) -> None:
    """What falls outside the years 1 to 9999 in UTC could not be stored or read back."""
    assert parse_instants(pa.array([text])).to_pylist() == [None]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_typed_timestamps_keep_their_instant(unit: str, zone: str | None) -> None:
    """Every Arrow timestamp is accepted; one without a zone is in UTC."""
    column = pa.array([int(NOON.timestamp())], pa.timestamp("s")).cast(pa.timestamp(unit))
    column = column.cast(pa.timestamp(unit, zone))
    assert parse_instants(column).to_pylist() == [NOON]


def test_timestamps_beyond_microseconds_are_null() -> None:
    """A coarse unit's far future does not fail the column."""
    column = pa.array([2**62, int(NOON.timestamp())], pa.timestamp("s"))
    assert parse_instants(column).to_pylist() == [None, NOON]


def test_numbers_are_finite() -> None:
    """What is no finite number is null; the others are float64."""
    texts = ["1.5", "x", "nan", "inf", "1e999", "", None, "-2"]
    expected = [1.5, None, None, None, None, None, None, -2.0]
    assert parse_numbers(pa.array(texts)).to_pylist() == expected
    assert parse_numbers(pa.array([3, None])).to_pylist() == [3.0, None]
