"""The rejects file appears whole or not at all."""

from pathlib import Path

import pytest

from feature_repo.ingestion.rejects import replacing
from foundation.errors import ConfigurationError


def test_what_was_written_replaces_the_target(tmp_path: Path) -> None:
    """The target changes when the block ends, and the draft is gone."""
    target = tmp_path / "rejects.csv"
    target.write_text("old")
    with replacing(target) as draft:
        draft.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_written_leaves_nothing(tmp_path: Path) -> None:
    """Without rejected rows there is no file."""
    with replacing(tmp_path / "rejects.csv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_error_keeps_the_old_target(tmp_path: Path) -> None:
    """A draft of a load that failed tells nobody anything."""
    target = tmp_path / "rejects.csv"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(target) as draft:
        draft.write_text(str(1 / 0))
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_an_error_before_any_work(tmp_path: Path) -> None:
    """The error names the file and the option."""
    with (
        pytest.raises(ConfigurationError, match=r"gone/rejects\.csv can't be written") as caught,
        replacing(tmp_path / "gone" / "rejects.csv"),
    ):
        pytest.fail("the block must not start")
    assert "--rejects" in caught.value.hint
