"""A training set is there as a whole, or what was there before is."""

import json
from pathlib import Path
from typing import Any

import pytest

from feature_repo.training.folder import (
    MANIFEST_FILE,
    read_manifest,
    read_rows,
    take_place,
    write,
)
from foundation.errors import ContractViolation
from tests.unit.feature_repo.training.sets import training_set

SET = training_set({"id": ["a"], "event_timestamp": [1]}, {"one==1.0.0": ("one", [0.5])})


def test_what_is_replaced_goes_last(tmp_path: Path) -> None:
    """If the new one can't take its place, the old one is there again."""
    folder = tmp_path / "set"
    write(SET, folder, replace=False)
    with pytest.raises(FileNotFoundError):
        take_place(tmp_path / "missing", folder)
    assert read_rows(folder, read_manifest(folder)).equals(SET.table)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    write(SET, folder, replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_an_empty_folder_is_a_place_too(tmp_path: Path) -> None:
    """It belongs to nobody."""
    folder = tmp_path / "set"
    folder.mkdir()
    write(SET, folder, replace=False)
    assert read_manifest(folder) == SET.manifest


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"known_at": "yesterday"}, "known_at"),
        ({"known_at": "2026-06-01T00:00:00"}, "known_at"),
        ({"file": {"path": "training_set.parquet"}}, "file.row_count"),
        ({"features": [{}]}, "features.0.reference"),
        ({"mood": "good"}, "mood"),
        ({"format": 1}, "not of format"),
        ({"entity_columns": ["id", "shop"]}, "id, shop, one"),
        ({"entity_columns": ["event_timestamp", "id"]}, "event_timestamp, id, one"),
    ],
)
def test_a_manifest_that_says_what_is_not_is_refused(
    tmp_path: Path, change: dict[str, Any], error: str
) -> None:
    """By the name of what is wrong."""
    folder = tmp_path / "set"
    write(SET, folder, replace=False)
    path = folder / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ContractViolation, match=error):
        read_rows(folder, read_manifest(folder))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever it is."""
    (tmp_path / MANIFEST_FILE).write_text(text)
    with pytest.raises(ContractViolation, match="no manifest"):
        read_manifest(tmp_path)


def test_a_manifest_reads_back_as_it_was_written() -> None:
    """To the byte."""
    text = SET.manifest.to_json()
    assert type(SET.manifest).from_json(text, where="here").to_json() == text
