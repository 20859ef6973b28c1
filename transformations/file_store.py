"""Where Parquet files are kept: a folder, or an object store."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.settings import Settings

_BYTES_PER_READ = 1_048_576


@dataclass(frozen=True)
class FileStore:
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
        Return the store that the settings name.

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

    def folders(self, *parts: str) -> list[str]:
        """Return the names of the folders in a folder, in order; none if there is no such one."""
        selector = fs.FileSelector(self.path(*parts), allow_not_found=True)
        with self.translated_errors():
            found = self.filesystem.get_file_info(selector)
        return sorted(info.base_name for info in found if info.type is fs.FileType.Directory)

    def are_files(self, paths: list[str]) -> list[bool]:
        """Tell of each path whether there is a file."""
        with self.translated_errors():
            found = self.filesystem.get_file_info([self.path(path) for path in paths])
        return [info.type is fs.FileType.File for info in found]

    def read(self, path: str) -> bytes | None:
        """Return what a file holds; None if there is none."""
        with self.translated_errors():
            try:
                with self.filesystem.open_input_stream(self.path(path)) as stream:
                    content: bytes = stream.read()
            except FileNotFoundError:
                return None
        return content

    def put(self, path: str, content: bytes) -> None:
        """Write a file: in one step, so that it is there as a whole or not at all."""
        target = self.path(path)
        with self.translated_errors():
            with self.filesystem.open_output_stream(f"{target}.new") as stream:
                stream.write(content)
            self.filesystem.move(f"{target}.new", target)

    @contextlib.contextmanager
    def parquet_writer(self, path: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
        """Open a Parquet file to be written, compressed and with checksums; make its folder."""
        target = self.path(path)
        with self.translated_errors():
            self.filesystem.create_dir(target.rpartition("/")[0], recursive=True)
            with pq.ParquetWriter(
                target,
                schema,
                filesystem=self.filesystem,
                compression="zstd",
                write_page_checksum=True,
            ) as writer:
                yield writer

    def delete_file(self, path: str) -> None:
        """Delete a file, if it is there."""
        with self.translated_errors(), contextlib.suppress(FileNotFoundError):
            self.filesystem.delete_file(self.path(path))

    def delete_folder(self, path: str) -> None:
        """Delete a folder with all that is in it, if it is there."""
        with self.translated_errors(), contextlib.suppress(FileNotFoundError):
            self.filesystem.delete_dir(self.path(path))

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
    def translated_errors(self) -> Iterator[None]:
        """
        Let errors of the file system be ours within the block.

        Raises:
            StoreUnavailable: One came.
        """
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(
                f"{self.root}: {error}",
                hint="FEATURE_STORE_SNAPSHOT_URL says where snapshots and archives are.",
            ) from error
