"""Entity rows from files, wherever they are."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from pyarrow import fs

from feature_repo.history.entity_rows import EntityRows
from foundation.errors import ConfigurationError, ContractViolation


def read_entity_rows(location: str, *, join_keys: Iterable[str]) -> EntityRows:
    """
    Return the rows of a CSV (.csv, .csv.gz) or Parquet file.

    Args:
        location: A path, or a URL that Arrow knows (s3://bucket/rows.parquet); among the file's
            columns are the join keys and `event_timestamp`.
        join_keys: Columns that are ids, which a CSV file may show as numbers.

    Raises:
        ConfigurationError: The file can't be read, or is of another kind.
        ContractViolation: It does not hold what its name says, or no column of timestamps.
    """
    if not location.endswith((".csv", ".csv.gz", ".parquet")):
        raise ConfigurationError(f"{location}: is neither .csv, .csv.gz nor .parquet")
    filesystem, path = _filesystem(location)
    try:
        if location.endswith(".parquet"):
            table = pq.read_table(path, filesystem=filesystem)
        else:
            with filesystem.open_input_stream(path) as stream:
                table = _read_csv(stream, join_keys)
    except OSError as error:
        raise ConfigurationError(f"{location}: can't be read: {error}") from error
    except pa.ArrowInvalid as error:
        raise ContractViolation(f"{location}: {error}") from error
    return EntityRows.from_arrow(table.replace_schema_metadata(None))


def _filesystem(location: str) -> tuple[fs.FileSystem, str]:
    if "://" not in location:
        return fs.LocalFileSystem(), location
    try:
        filesystem, path = fs.FileSystem.from_uri(location)
    except (pa.ArrowInvalid, OSError) as error:
        raise ConfigurationError(
            f"{location}: {error}", hint="For example rows.csv or s3://bucket/rows.parquet."
        ) from error
    return filesystem, path


def _read_csv(stream: pa.NativeFile, join_keys: Iterable[str]) -> pa.Table:
    options = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys([*join_keys, "event_timestamp"], pa.string()),
        strings_can_be_null=True,
        # Arrow's own list would take the ids NA, nan and null for none.
        null_values=[""],
    )
    return pyarrow.csv.read_csv(stream, convert_options=options)
