"""Parquet files that hold source tables, and what their columns must be."""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs

from foundation.errors import ConfigurationError, ContractViolation
from transformations.source_tables import SCHEMAS


@dataclass(frozen=True)
class Sources:
    """
    Where source tables are, if not in PostgreSQL.

    Each is a Parquet file, a folder of them, or a path with `*` in it; local, or a URL like
    `s3://bucket/events/*.parquet?region=eu-central-1`. None: PostgreSQL.
    """

    events: str | None = None
    products: str | None = None
    users: str | None = None

    def by_table(self) -> dict[str, str]:
        """Return the paths that are given, by table name."""
        return {table: path for table in SCHEMAS if (path := getattr(self, table)) is not None}


def open_dataset(path: str, table_name: str) -> pyarrow.dataset.Dataset:
    """
    Open the Parquet files of a source table, wherever pyarrow can read; nothing is read but schema.

    Raises:
        ConfigurationError: There are no such files, or they can't be read.
        ContractViolation: They are not Parquet, or a column is missing or of another type.
    """
    try:
        filesystem, location = _filesystem(path)
        files = _files(filesystem, location)
        if not files:
            raise ConfigurationError(f"{table_name}: there are no Parquet files at {path}")
        dataset = pyarrow.dataset.dataset(files, format="parquet", filesystem=filesystem)
    except pa.ArrowInvalid as error:
        raise ContractViolation(f"{table_name}: {path}: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"{table_name}: {path} can't be read: {error}") from error
    check_columns(path, table_name, {field.name: field.type for field in dataset.schema})
    return dataset


def check_columns(path: str, table_name: str, found: Mapping[str, pa.DataType]) -> None:
    """
    Do nothing if files have the columns of a source table, whatever else they have.

    Args:
        path: Where the files are.
        table_name: Which source table they hold.
        found: Types by column name.

    Raises:
        ContractViolation: A column is missing or of another type.
    """
    for column in SCHEMAS[table_name].to_pyarrow():
        if column.name not in found:
            raise ContractViolation(
                f"{table_name}: {path} has no column {column.name}",
                hint=f"Its columns must be {', '.join(SCHEMAS[table_name])}.",
            )
        if not _means(found[column.name], column.type):
            raise ContractViolation(
                f"{table_name}: {path}, column {column.name}: "
                f"{found[column.name]} is not {column.type}"
            )


def _means(found: pa.DataType, expected: pa.DataType) -> bool:
    """Tell whether values of a type can be taken for those of another, without looking at them."""
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_timestamp(expected):
        return bool(pa.types.is_timestamp(found))
    if pa.types.is_floating(expected):
        numbers = (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal, pa.types.is_null)
        return any(kind(found) for kind in numbers)
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(kind(found) for kind in texts) or bool(pa.types.is_null(found))


def _filesystem(path: str) -> tuple[pyarrow.fs.FileSystem, str]:
    if "://" in path:
        filesystem, location = pyarrow.fs.FileSystem.from_uri(path)
        return filesystem, location
    return pyarrow.fs.LocalFileSystem(), Path(path).absolute().as_posix()


def _files(filesystem: pyarrow.fs.FileSystem, location: str) -> list[str]:
    """Return the files of a location in the order of their names."""
    if "*" in location:
        folder = posixpath.dirname(location.partition("*")[0])
        return [name for name in _listed(filesystem, folder) if fnmatchcase(name, location)]
    if filesystem.get_file_info(location).type == pyarrow.fs.FileType.Directory:
        names = _listed(filesystem, location)
        return [name for name in names if name.endswith(".parquet")]
    return [location]


def _listed(filesystem: pyarrow.fs.FileSystem, folder: str) -> Iterable[str]:
    selector = pyarrow.fs.FileSelector(folder, recursive=True)
    found = filesystem.get_file_info(selector)
    return sorted(info.path for info in found if info.type == pyarrow.fs.FileType.File)
