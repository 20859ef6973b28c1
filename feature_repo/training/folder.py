"""Training sets in folders: there as a whole, or not at all."""

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.training.building import TrainingSet, digest
from feature_repo.training.manifest import Manifest
from foundation.errors import ConfigurationError, ContractViolation

MANIFEST_FILE = "manifest.json"


def write(training_set: TrainingSet, folder: Path, *, replace: bool) -> None:
    """
    Write a training set; whoever looks at the folder sees all of it or nothing.

    Args:
        training_set: What to write.
        folder: Made, or taken the place of.
        replace: Whether a training set that is there may go.

    Raises:
        ConfigurationError: Something is there, or the folder can't be written.
    """
    refuse_existing(folder, replace=replace)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            new = Path(temporary, "new")
            new.mkdir()
            _write_file(new / training_set.manifest.file.path, training_set.content)
            _write_file(new / MANIFEST_FILE, training_set.manifest.to_json().encode())
            take_place(new, folder)
    except OSError as error:
        raise ConfigurationError(f"{folder}: can't be written: {error.strerror}") from error


def take_place(new: Path, folder: Path) -> None:
    """
    Put a folder in the place of another, or where none is; what was there goes last.

    Whatever happens in between, even if the process is killed, one of the two is left beside the
    place or in it.

    Raises:
        OSError: It could not be done; what was there is there again.
    """
    # Not inside a temporary folder, which would be removed with it.
    old = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}-replaced")
    try:
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except BaseException:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def refuse_existing(folder: Path, *, replace: bool) -> None:
    """
    Raise if a folder must not be written to.

    Raises:
        ConfigurationError: It holds a training set that may not be replaced, or something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / MANIFEST_FILE).is_file():
        raise ConfigurationError(
            f"{folder}: holds something that is no training set", hint="Name another folder."
        )
    if not replace:
        raise ConfigurationError(
            f"{folder}: there is a training set already",
            hint="Name another folder, or give --replace.",
        )


def read_manifest(folder: Path) -> Manifest:
    """
    Return the manifest of a training set.

    Raises:
        ConfigurationError: There is no training set.
        ContractViolation: The manifest can't be understood.
    """
    path = folder / MANIFEST_FILE
    try:
        return Manifest.from_json(path.read_text(), where=str(path))
    except OSError as error:
        raise ConfigurationError(
            f"{folder}: there is no training set: {error.strerror}",
            hint="`training-set build --out FOLDER` makes one.",
        ) from error


def read_rows(folder: Path, manifest: Manifest) -> pa.Table:
    """
    Return the rows of a training set.

    Raises:
        ContractViolation: They are not those that were written, or have other columns than the
            manifest says.
    """
    path = folder / manifest.file.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ContractViolation(f"{path}: can't be read: {error.strerror}") from error
    if digest(content) != manifest.file.sha256:
        raise ContractViolation(
            f"{path}: has changed since it was written", hint="Build the training set anew."
        )
    table = pq.read_table(pa.BufferReader(content))
    if table.column_names != manifest.columns:
        raise ContractViolation(
            f"{path}: its columns are {', '.join(table.column_names)}, and not, as the manifest "
            f"says, {', '.join(manifest.columns)}"
        )
    return table


def _write_file(path: Path, content: bytes) -> None:
    with path.open("wb") as output:
        output.write(content)
        output.flush()
        os.fsync(output.fileno())
