"""Batches of CSV and Parquet files, and the lines of their records."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from feature_repo.ingestion.columns import Kind
from feature_repo.ingestion.readers import open_source
from foundation.errors import ContractViolation

COLUMNS = {"name": Kind.TEXT, "weight": Kind.NUMBER, "at": Kind.INSTANT}


def _lines(path: Path) -> tuple[dict[str | None, int], dict[str, int]]:
    """Return the line of each row, by its name, and of each malformed record, by its text."""
    rows: dict[str | None, int] = {}
    malformed: dict[str, int] = {}
    with open_source(path, COLUMNS) as batches:
        for batch in batches:
            names = batch.rows["name"].to_pylist()
            rows |= dict(zip(names, batch.lines.to_pylist(), strict=True))
            malformed |= {record.text: record.line for record in batch.malformed}
    return rows, malformed


def test_lines_are_those_an_editor_shows(tmp_path: Path) -> None:
    """Line breaks in values, malformed and empty records all count as the lines they take."""
    path = tmp_path / "rows.csv"
    path.write_text(
        'at,name,weight\n,"two\nlines",1\nbad\n,five,2\n\n,seven\n"x\n\ny"\n,eleven,4\n1,2,3,4\n'
    )
    rows, malformed = _lines(path)
    assert rows == {"two\nlines": 2, "five": 5, None: 6, "eleven": 11}
    assert malformed == {"bad": 4, ",seven": 7, '"x\n\ny"': 8, "1,2,3,4": 12}


def test_lines_are_right_across_blocks(tmp_path: Path) -> None:
    """The reader parses ahead of the batches it hands out; lines must not follow it."""
    path = tmp_path / "rows.csv"
    padding = "x" * 1_000
    records = [
        f"{number},short" if number % 1_000 == 0 else f"{number},{padding},"
        for number in range(2, 30_000)
    ]
    path.write_text("name,weight,at\n" + "\n".join(records))
    rows, malformed = _lines(path)
    assert all(name == str(line) for name, line in rows.items())
    assert malformed == {f"{number},short": number for number in range(1_000, 30_000, 1_000)}


def test_a_compressed_file_with_a_byte_order_mark_reads_like_a_plain_one(tmp_path: Path) -> None:
    """Neither gzip, nor a byte order mark, nor Windows line ends change a row."""
    path = tmp_path / "rows.csv.gz"
    text = '\ufeffname,weight,at\r\n"a ""quoted"" name",1,\r\n"two\r\nlines",2,\r\nlast,3,\r\n'
    path.write_bytes(gzip.compress(text.encode()))
    assert _lines(path) == ({'a "quoted" name': 2, "two\r\nlines": 3, "last": 5}, {})


def test_parquet_rows_are_numbered_from_one(tmp_path: Path) -> None:
    """All text arrives as strings, whatever its type, and rows count from 1."""
    path = tmp_path / "rows.parquet"
    names = pa.array(["a", "b", "a"]).dictionary_encode()
    parquet.write_table(
        pa.table({"at": pa.nulls(3), "weight": [1, 2, 3], "name": names}), path, row_group_size=2
    )
    with open_source(path, COLUMNS) as batches:
        rows, lines = zip(*((batch.rows, batch.lines) for batch in batches), strict=True)
    assert pa.Table.from_batches(rows).to_pydict() == {
        "name": ["a", "b", "a"],
        "weight": [1, 2, 3],
        "at": [None] * 3,
    }
    assert pa.chunked_array(lines).to_pylist() == [1, 2, 3]
    assert rows[0]["name"].type == pa.string()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("name,weight", "missing at"),
        ("name,weight,at,colour", "unexpected colour"),
        ("name,weight,at,at", "repeated at"),
        ("name;weight;at", "missing name, weight, at; unexpected name;weight;at"),
    ],
)
def test_wrong_columns_are_named(tmp_path: Path, header: str, message: str) -> None:
    """The error tells which columns are wrong, and which are right."""
    path = tmp_path / "rows.csv"
    path.write_text(header + "\n")
    with (
        pytest.raises(ContractViolation, match=message) as caught,
        open_source(path, COLUMNS),
    ):
        pass
    assert "name, weight, at" in caught.value.hint


def test_a_parquet_column_of_a_wrong_type_is_named(tmp_path: Path) -> None:
    """Numbers are no timestamps: nobody said since when, and in what unit."""
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"name": ["a"], "weight": [1.0], "at": [1.0]}), path)
    with (
        pytest.raises(ContractViolation, match="column at is double, but must be a timestamp"),
        open_source(path, COLUMNS),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", b"", "can't be read: Empty CSV file"),
        ("rows.csv", b"name,weight,at\n\xff,1,\n", "invalid UTF8"),
        ("rows.csv", b'name,weight,at\n"open,1,\n' + b"a,1,\n" * 4_000_000, "can't be read"),
        ("rows.csv.gz", b"not gzip", "can't be read"),
        ("rows.parquet", b"not parquet", "can't be read"),
        ("rows.json", b"{}", "unknown format"),
    ],
)
def test_unreadable_files_are_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    """A file that is not what its name says stops with one error of ours."""
    path = tmp_path / name
    path.write_bytes(content)
    with (
        pytest.raises(ContractViolation, match=message),
        open_source(path, COLUMNS) as batches,
    ):
        list(batches)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The error names the file."""
    with (
        pytest.raises(ContractViolation, match=r"gone\.csv: no such file"),
        open_source(tmp_path / "gone.csv", COLUMNS),
    ):
        pass
