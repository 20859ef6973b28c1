"""An archive on storage that fails: an outage is no damage, and hides none."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from pyarrow import fs

from feature_repo.registry.gather import gather_features
from feature_repo.stores.archived_parts import ArchivedPart, archived_parts
from foundation.errors import ContractViolation, JobAlreadyRunning, StoreUnavailable
from foundation.postgres import advisory_lock, connect
from foundation.settings import Settings
from tests.integration.transformations.written import write_history
from transformations.archives import verification
from transformations.archives.reading import read_part
from transformations.archives.storage import Archive
from transformations.retention import archive_months, remove_archives

FEATURES = {feature.reference: feature for feature in gather_features()}
POPULARITY = FEATURES["popularity_score==1.0.0"]
FRESHNESS = FEATURES["product_freshness_score==1.0.0"]
AT = datetime(2020, 2, 29, 23, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 5, tzinfo=UTC)


class Failing(fs.FSSpecHandler):  # type: ignore[misc]  # pyarrow has no types
    """
    Storage whose files can't be read at any place, or not at all, nor folders listed or deleted.

    Args:
        also_from_the_start: Whether files can't be read from their beginning on either.
    """

    def __init__(self, *, also_from_the_start: bool) -> None:
        super().__init__(fsspec.filesystem("memory"))
        self._also_from_the_start = also_from_the_start

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Fail as the network would."""
        raise OSError(f"{path}: timed out")

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """Fail alike, except for manifests."""
        if self._also_from_the_start and not path.endswith("manifest.json"):
            raise OSError(f"{path}: timed out")
        return super().open_input_stream(path)

    def get_file_info_selector(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        """Fail likewise."""
        raise OSError(f"{selector.base_dir}: timed out")

    def delete_dir(self, path: str) -> None:
        """Fail likewise."""
        raise OSError(f"{path}: timed out")


@pytest.fixture
def part(settings: Settings) -> Iterator[ArchivedPart]:
    """Yield a part that is in memory."""
    write_history(settings, POPULARITY, AT, a=0.3, b=0.4)
    memory = fsspec.filesystem("memory")
    archive = Archive(fs.PyFileSystem(fs.FSSpecHandler(memory)), "/snapshots")
    archive_months(settings, archive, now=NOW, dry_run=False)
    with connect(settings) as connection:
        yield from archived_parts(connection)
    memory.rm("/", recursive=True)


def _read(archive: Archive, part: ArchivedPart) -> None:
    manifest = archive.manifest(part)
    list(read_part(archive, manifest, part, POPULARITY, ids=None, start=AT, end=AT))


@pytest.mark.parametrize("also_from_the_start", [True, False])
def test_an_outage_is_no_damage(part: ArchivedPart, *, also_from_the_start: bool) -> None:
    """So that whoever reads tries again."""
    handler = Failing(also_from_the_start=also_from_the_start)
    with pytest.raises(StoreUnavailable, match=r"popularity_score.*timed out"):
        _read(Archive(fs.PyFileSystem(handler), "/snapshots"), part)


def test_damage_on_shaky_storage_is_damage(part: ArchivedPart) -> None:
    """Whatever error came first: the file isn't what was written."""
    memory = fsspec.filesystem("memory")
    (path,) = memory.glob("/snapshots/archive/**/values.parquet")
    memory.pipe(path, b"PAR1")
    handler = Failing(also_from_the_start=False)
    with pytest.raises(ContractViolation, match=r"archive of 2020-02 is damaged"):
        _read(Archive(fs.PyFileSystem(handler), "/snapshots"), part)


def test_what_can_not_be_read_is_a_problem_of_its_own(settings: Settings, tmp_path: Path) -> None:
    """The files after it are looked at, too."""
    archive = Archive(fs.LocalFileSystem(), str(tmp_path))
    for feature in (POPULARITY, FRESHNESS):
        write_history(settings, feature, AT, a=0.5)
    archive_months(settings, archive, now=NOW, dry_run=False)
    with connect(settings) as connection:
        (part,) = archived_parts(connection)
    unreadable, damaged = sorted(tmp_path.rglob("values.parquet"))
    unreadable.unlink()
    unreadable.symlink_to(unreadable)
    damaged.write_bytes(b"")
    problems = verification.verify(archive, part)
    for name, reason in (
        ("popularity_score", "can't be read: "),
        ("product_freshness_score", "has changed"),
    ):
        assert [name in problem for problem in problems if reason in problem] == [True]


def test_a_folder_that_can_not_be_listed_is_an_outage(part: ArchivedPart) -> None:
    """Though each file might be as it was."""
    handler = Failing(also_from_the_start=True)
    with pytest.raises(StoreUnavailable, match="timed out"):
        verification.verify(Archive(fs.PyFileSystem(handler), "/snapshots"), part)


def test_a_removal_that_was_cut_off_is_told_of_and_made_up_for(
    settings: Settings, part: ArchivedPart
) -> None:
    """Half a part is never taken for a damaged one."""
    keeping = settings.model_copy(update={"archive_retention_days": 365})
    handler = Failing(also_from_the_start=False)
    failing = Archive(fs.PyFileSystem(handler), "/snapshots")
    with pytest.raises(StoreUnavailable, match="timed out"):
        remove_archives(keeping, failing, now=NOW, dry_run=False)
    with connect(settings) as connection:
        (removed,) = archived_parts(connection)
    assert (removed.name, removed.removed_at is None) == (part.name, False)
    memory = fsspec.filesystem("memory")
    assert memory.glob("/snapshots/archive/**/values.parquet")
    archive = Archive(fs.PyFileSystem(fs.FSSpecHandler(memory)), "/snapshots")
    for _ in range(2):
        assert remove_archives(keeping, archive, now=NOW, dry_run=False) == []
        assert memory.glob("/snapshots/archive/**/values.parquet") == []


def test_one_process_changes_the_archive_at_a_time(settings: Settings, part: ArchivedPart) -> None:
    """Who archives a month removes what cut-off attempts have left of it."""
    keeping = settings.model_copy(update={"archive_retention_days": 365})
    archive = Archive(fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem("memory"))), "/snapshots")
    with (
        connect(settings, autocommit=True) as connection,
        advisory_lock(connection, "archive") as is_held,
    ):
        assert is_held
        with pytest.raises(JobAlreadyRunning, match="archive"):
            remove_archives(keeping, archive, now=NOW, dry_run=False)
    assert remove_archives(keeping, archive, now=NOW, dry_run=False) == [part]
