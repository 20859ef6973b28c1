"""Files that are not what they should be are refused by name."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foundation.errors import ConfigurationError, ContractViolation
from transformations.engines.sources import Sources, open_dataset

USERS = pa.table(
    {"user_id": ["u1", "u2"], "created_at": pa.array([0, 1], pa.timestamp("us", "UTC"))}
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two files of users, and one of something else."""
    (tmp_path / "day").mkdir()
    pq.write_table(USERS, tmp_path / "users_1.parquet")
    pq.write_table(USERS, tmp_path / "day" / "users_2.parquet")
    (tmp_path / "_SUCCESS").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("users_1.parquet", 2),
        ("", 4),
        ("day", 2),
        ("users_*.parquet", 2),
        ("*/users_*.parquet", 2),
        ("*.parquet", 4),
    ],
)
def test_files_folders_and_patterns_are_read(folder: Path, path: str, rows: int) -> None:
    """A folder means all Parquet files below it; `*` stands for any part of a path."""
    assert open_dataset(str(folder / path), "users").count_rows() == rows
    assert open_dataset((folder / path).as_uri().replace("%2A", "*"), "users").count_rows() == rows


def test_relative_paths_are_local(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path without a scheme is one of this machine's, seen from the current folder."""
    monkeypatch.chdir(folder)
    assert open_dataset("day", "users").count_rows() == 2


@pytest.mark.parametrize("path", ["nothing.parquet", "nothing", "day/*.csv", "nothing/*.parquet"])
def test_missing_files_are_named(folder: Path, path: str) -> None:
    """The error names table and path."""
    with pytest.raises(ConfigurationError, match=r"users: .*" + path.replace("*", r"\*")):
        open_dataset(str(folder / path), "users")


def test_unknown_schemes_are_named() -> None:
    """A URL that no filesystem is known for is a mistake of configuration."""
    with pytest.raises((ConfigurationError, ContractViolation), match="gopher://users"):
        open_dataset("gopher://users", "users")


def test_other_formats_are_refused(folder: Path) -> None:
    """What is not Parquet is not read."""
    (folder / "users.csv").write_text("user_id,created_at\n")
    with pytest.raises(ContractViolation, match=r"users: .*users\.csv"):
        open_dataset(str(folder / "users.csv"), "users")


@pytest.mark.parametrize(
    ("column", "replacement", "message"),
    [
        ("user_id", None, "has no column user_id"),
        ("user_id", pa.array([1, 2]), "column user_id: int64 is not string"),
        ("created_at", None, "has no column created_at"),
        ("created_at", pa.array(["a", "b"]), "column created_at: string is not timestamp"),
    ],
)
def test_wrong_columns_are_named(
    folder: Path, column: str, replacement: pa.Array | None, message: str
) -> None:
    """A column that is missing or of another type is named with its file."""
    rows = USERS.drop_columns(column)
    if replacement is not None:
        rows = rows.append_column(column, replacement)
    pq.write_table(rows, folder / "users_1.parquet")
    with pytest.raises(ContractViolation, match=r"users_1\.parquet.*" + message):
        open_dataset(str(folder / "users_1.parquet"), "users")


@pytest.mark.parametrize(
    "rows",
    [
        USERS.append_column("more", pa.array([1, 2])),
        USERS.cast(pa.schema({"user_id": pa.large_string(), "created_at": pa.timestamp("ns")})),
        USERS.set_column(0, "user_id", USERS["user_id"].dictionary_encode()),
    ],
)
def test_other_spellings_of_a_type_are_accepted(folder: Path, rows: pa.Table) -> None:
    """More columns, long strings, dictionaries and timestamps of any unit do no harm."""
    pq.write_table(rows, folder / "users_1.parquet")
    assert open_dataset(str(folder / "users_1.parquet"), "users").count_rows() == 2


def test_sources_know_their_tables() -> None:
    """Only tables with files are listed."""
    assert Sources(events="e", users="u").by_table() == {"events": "e", "users": "u"}
