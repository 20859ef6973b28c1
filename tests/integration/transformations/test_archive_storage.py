"""An archive on storage that fails: an outage is no damage, and hides none."""

from collections.abc import Iterator
from datetime import UTC, datetime

import fsspec
import pyarrow as pa
import pytest
from pyarrow import fs

from feature_repo.registry.gather import gather_features
from feature_repo.stores.archived_parts import ArchivedPart, archived_parts
from foundation.errors import ContractViolation, StoreUnavailable
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.transformations.written import write_history
from transformations.archives.reading import read_part
from transformations.archives.storage import Archive
from transformations.retention import archive_months

POPULARITY = next(f for f in gather_features() if f.reference == "popularity_score==1.0.0")
AT = datetime(2020, 2, 29, 23, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 5, tzinfo=UTC)


class Failing(fs.FSSpecHandler):
    """Storage whose files can't be opened for reading at any place, or not at all."""

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
