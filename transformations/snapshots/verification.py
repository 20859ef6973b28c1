"""Is a snapshot still what it was when it was made?"""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from foundation.errors import ContractViolation
from transformations.snapshots.manifest import Manifest, SnapshotFile, day_folder, manifest_path
from transformations.snapshots.storage import Storage


def verify(storage: Storage, day: date) -> list[str]:
    """
    Compare a day's files with its manifest: names, sizes, checksums, row counts.

    Returns:
        What is wrong, in words; empty if nothing is.
    """
    try:
        manifest = storage.manifest(day)
    except ContractViolation as error:
        return [error.message]
    if manifest is None:
        return [f"{day}: there is no snapshot"]
    problems = [problem for file in manifest.files if (problem := _problem(storage, day, file))]
    return problems + _unexpected(storage, manifest)


def _problem(storage: Storage, day: date, file: SnapshotFile) -> str | None:
    where = f"{day_folder(day)}/{file.path}"
    try:
        sha256, byte_count = storage.digest(day_folder(day), file.path)
    except FileNotFoundError:
        return f"{where}: is missing"
    if (sha256, byte_count) != (file.sha256, file.byte_count):
        return f"{where}: has changed since it was written"
    try:
        path = storage.path(day_folder(day), file.path)
        row_count = pq.read_metadata(path, filesystem=storage.filesystem).num_rows
    except (pa.ArrowException, OSError) as error:
        return f"{where}: can't be read: {error}"
    if row_count != file.row_count:
        return f"{where}: has {row_count:,} rows, not {file.row_count:,}"
    return None


def _unexpected(storage: Storage, manifest: Manifest) -> list[str]:
    folder = storage.path(day_folder(manifest.day))
    expected = {f"{folder}/{file.path}" for file in manifest.files}
    expected.add(storage.path(manifest_path(manifest.day)))
    # Some file systems put a slash before their paths, others don't.
    known = {path.lstrip("/") for path in expected}
    found = storage.filesystem.get_file_info(fs.FileSelector(folder, recursive=True))
    return [
        f"{info.path}: is in no manifest"
        for info in found
        if info.type is fs.FileType.File and info.path.lstrip("/") not in known
    ]
