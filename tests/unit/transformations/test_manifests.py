"""A manifest says what was written, and nothing else passes for one."""

from datetime import UTC, date, datetime

import pytest

from feature_repo.stores.partitions import month_of
from foundation.errors import ContractViolation
from transformations.archives.manifest import Manifest as ArchiveManifest
from transformations.snapshots.manifest import Manifest as SnapshotManifest
from transformations.value_files import ValueFile

NOW = datetime(2026, 6, 1, 5, tzinfo=UTC)
FILES = [ValueFile("a==1.0.0", "a", 3, 40, "0f"), ValueFile("b==1.0.0", "b", 2, 10, "0e")]
SNAPSHOT = SnapshotManifest(date(2026, 6, 1), NOW, FILES)
ARCHIVE = ArchiveManifest(month_of(NOW), "1f", NOW, FILES)


@pytest.mark.parametrize("manifest", [SNAPSHOT, ARCHIVE], ids=["snapshot", "archive"])
def test_it_is_read_as_it_was_written(manifest: SnapshotManifest | ArchiveManifest) -> None:
    """With the sums of what it lists."""
    text = manifest.to_json()
    assert type(manifest).from_json(text, where="here") == manifest
    assert (manifest.row_count, manifest.byte_count) == (5, 50)
    newer = text.replace('"format": 1', '"format": 2')
    with pytest.raises(ContractViolation, match="here: format 2, not 1"):
        type(manifest).from_json(newer, where="here")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "files": [{}]}'])
def test_what_is_no_manifest_says_where_it_is(text: str) -> None:
    """And how to get one."""
    with pytest.raises(ContractViolation, match="here: no manifest") as raised:
        SnapshotManifest.from_json(text, where="here")
    assert "--force" in raised.value.hint
