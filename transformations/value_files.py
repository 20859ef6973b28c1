"""Parquet files of values, as manifests name them: are they still what they were?"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from transformations.file_store import FileStore


@dataclass(frozen=True)
class ValueFile:
    """
    Values of one feature version.

    Attributes:
        reference: Feature version.
        path: Of the file, below the folder of its manifest.
        row_count: Values in it.
        byte_count: Size of the file.
        sha256: Digest of the file.
    """

    reference: str
    path: str
    row_count: int
    byte_count: int
    sha256: str


def value_path(feature_name: str, version: str) -> str:
    """Return the path of a feature version's file, below the folder of its manifest."""
    return f"feature_name={feature_name}/version={version}/values.parquet"


def file_problems(
    store: FileStore, folder: str, files: Sequence[ValueFile], *, manifest_path: str
) -> list[str]:
    """
    Compare files with their manifest: names, sizes, checksums, row counts.

    Args:
        store: Where they are.
        folder: What the manifest is about.
        files: What it names.
        manifest_path: Its own.

    Returns:
        What is wrong, in words, files that can't be read included; empty if nothing is.

    Raises:
        StoreUnavailable: The folder can't be listed.
    """
    problems = [problem for file in files if (problem := _problem(store, folder, file))]
    expected = {store.path(folder, file.path) for file in files} | {store.path(manifest_path)}
    return problems + _unexpected(store, folder, expected)


def _problem(store: FileStore, folder: str, file: ValueFile) -> str | None:
    where = f"{folder}/{file.path}"
    try:
        if store.digest(folder, file.path) != (file.sha256, file.byte_count):
            return f"{where}: has changed since it was written"
        path = store.path(folder, file.path)
        row_count = pq.read_metadata(path, filesystem=store.filesystem).num_rows
    except FileNotFoundError:
        return f"{where}: is missing"
    except (pa.ArrowException, OSError) as error:
        return f"{where}: can't be read: {error}"
    if row_count != file.row_count:
        return f"{where}: has {row_count:,} rows, not {file.row_count:,}"
    return None


def _unexpected(store: FileStore, folder: str, expected: set[str]) -> list[str]:
    # Some file systems put a slash before their paths, others don't.
    known = {path.lstrip("/") for path in expected}
    selector = fs.FileSelector(store.path(folder), recursive=True, allow_not_found=True)
    with store.translated_errors():
        found = store.filesystem.get_file_info(selector)
    return [
        f"{info.path}: is in no manifest"
        for info in found
        if info.type is fs.FileType.File and info.path.lstrip("/") not in known
    ]
