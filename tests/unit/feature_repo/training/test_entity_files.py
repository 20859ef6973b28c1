"""Entity rows are read as they are written."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.training.entity_files import read_entity_rows
from foundation.errors import ConfigurationError, ContractViolation


def _file(folder: Path, text: str) -> str:
    path = folder / "rows.csv"
    path.write_text(text)
    return str(path)


def test_ids_are_what_is_written(tmp_path: Path) -> None:
    """Words that elsewhere mean nothing, and numbers with zeros in front, are ids like others."""
    ids = ["NA", "null", "nan", "n/a", "None", "#N/A", "007"]
    text = "product_id,event_timestamp,bought\n" + "".join(f"{i},2026-06-01,1\n" for i in ids)
    rows = read_entity_rows(_file(tmp_path, f"{text},2026-06-01,\n"), join_keys=["product_id"])
    assert rows.table["product_id"].to_pylist() == [*ids, None]
    assert rows.table["bought"].to_pylist() == [1] * len(ids) + [None]
    assert rows.entities(["product_id"]).ids.to_pylist() == ids


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows.parquet"])
@pytest.mark.parametrize("is_url", [True, False])
def test_each_kind_from_anywhere(tmp_path: Path, name: str, *, is_url: bool) -> None:
    """By path, or by URL of any file system that Arrow knows."""
    path = tmp_path / name
    content = b"id,event_timestamp\na,2026-06-01T00:00:00Z\n"
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"id": ["a"], "event_timestamp": ["2026-06-01"]}), path)
    else:
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    rows = read_entity_rows(path.as_uri() if is_url else str(path), join_keys=["id"])
    assert rows.table["id"].to_pylist() == ["a"]


def test_no_rows_are_rows(tmp_path: Path) -> None:
    """Just not many."""
    rows = read_entity_rows(_file(tmp_path, "id,event_timestamp,bought\n"), join_keys=["id"])
    assert (rows.table.num_rows, rows.bounds()) == (0, None)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "Empty CSV"),
        ("id,id,event_timestamp\na,b,2026-06-01\n", "more than one column is called 'id'"),
        ("id\na\n", "no column 'event_timestamp'"),
        ("id,event_timestamp\na,1764028800\n", "no timestamps: .*1764028800"),
        ("id,event_timestamp\na\n", "Expected 2 columns"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, error: str) -> None:
    """By our own errors."""
    with pytest.raises(ContractViolation, match=error):
        read_entity_rows(_file(tmp_path, text), join_keys=["id"])


@pytest.mark.parametrize(
    "location",
    ["rows.json", "missing.csv", "missing.parquet", "ftp://here/rows.csv", "file://%.csv"],
)
def test_what_can_not_be_read_is_told(location: str) -> None:
    """The same."""
    with pytest.raises(ConfigurationError, match=location.partition(":")[0]):
        read_entity_rows(location, join_keys=["id"])
