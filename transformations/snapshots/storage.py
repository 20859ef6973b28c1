"""Where snapshots are: a folder, or an object store."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Self

import pyarrow as pa
from pyarrow import fs

from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.settings import Settings
from transformations.snapshots.manifest import Manifest, day_folder, day_of, manifest_path

_BYTES_PER_READ = 1_048_576


@dataclass(frozen=True)
class Storage:
    """
    Files below a root.

    Attributes:
        filesystem: Any of Arrow's.
        root: Path of the root on it.
    """

    filesystem: fs.FileSystem
    root: str

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """
        Return the storage that the settings name.

        Raises:
            ConfigurationError: The URL names no known kind of storage.
        """
        if settings.snapshot_url is None:
            folder = settings.data_dir.resolve() / "snapshots"
            return cls(fs.LocalFileSystem(), str(folder))
        try:
            filesystem, root = fs.FileSystem.from_uri(settings.snapshot_url)
        except (pa.ArrowInvalid, OSError) as error:
            raise ConfigurationError(
                f"FEATURE_STORE_SNAPSHOT_URL: {error}",
                hint="For example file:///var/snapshots or s3://bucket/snapshots.",
            ) from error
        return cls(filesystem, root.rstrip("/"))

    def path(self, *parts: str) -> str:
        """Return a path on the file system."""
        return "/".join((self.root, *parts))

    def days(self) -> list[date]:
        """Return the days that have a complete snapshot, ascending."""
        with _translated_errors():
            selector = fs.FileSelector(self.root, allow_not_found=True)
            folders = self.filesystem.get_file_info(selector)
            days = [day for info in folders if (day := day_of(info.base_name)) is not None]
            manifests = self.filesystem.get_file_info([self.path(manifest_path(d)) for d in days])
        return sorted(
            day for day, info in zip(days, manifests, strict=True) if info.type is fs.FileType.File
        )

    def manifest(self, day: date) -> Manifest | None:
        """
        Return the manifest of a day's snapshot; None if there is no complete one.

        Raises:
            ContractViolation: The manifest can't be read.
        """
        path = self.path(manifest_path(day))
        try:
            with self.filesystem.open_input_stream(path) as stream:
                text = stream.read().decode(errors="replace")
        except FileNotFoundError:
            return None
        return Manifest.from_json(text, where=path)

    def commit(self, manifest: Manifest) -> None:
        """Write a manifest: in one step, so that it is there as a whole or not at all."""
        path = self.path(manifest_path(manifest.day))
        with _translated_errors():
            with self.filesystem.open_output_stream(f"{path}.new") as stream:
                stream.write(manifest.to_json().encode())
            self.filesystem.move(f"{path}.new", path)

    def remove(self, day: date) -> None:
        """Remove a day's snapshot: the manifest first, so that half of it is taken for nothing."""
        with _translated_errors():
            with contextlib.suppress(FileNotFoundError):
                self.filesystem.delete_file(self.path(manifest_path(day)))
            with contextlib.suppress(FileNotFoundError):
                self.filesystem.delete_dir(self.path(day_folder(day)))

    def digest(self, *parts: str) -> tuple[str, int]:
        """
        Return a file's SHA-256 and size.

        Raises:
            FileNotFoundError: There is no such file.
        """
        digest, size = hashlib.sha256(), 0
        with self.filesystem.open_input_stream(self.path(*parts)) as stream:
            while chunk := stream.read(_BYTES_PER_READ):
                digest.update(chunk)
                size += len(chunk)
        return digest.hexdigest(), size


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"snapshots: {error}", hint="FEATURE_STORE_SNAPSHOT_URL says where they are."
        ) from error
