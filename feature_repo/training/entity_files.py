"""Entity rows from files."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from feature_repo.history.entity_rows import EntityRows
from foundation.errors import ConfigurationError, ContractViolation


def read_entity_rows(path: Path, *, join_keys: Iterable[str]) -> EntityRows:
    """
    Return the rows of a CSV (.csv, .csv.gz) or Parquet file.

    Args:
        path: Of the file; among its columns are the join keys and `event_timestamp`.
        join_keys: Columns that are ids, which a CSV file may show as numbers.

    Raises:
        ConfigurationError: The file can't be read, or is of another kind.
        ContractViolation: It does not hold what its name says, or no column of timestamps.
    """
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path)
        elif path.name.endswith((".csv", ".csv.gz")):
            texts = dict.fromkeys([*join_keys, "event_timestamp"], pa.string())
            options = pyarrow.csv.ConvertOptions(column_types=texts, strings_can_be_null=True)
            table = pyarrow.csv.read_csv(path, convert_options=options)
        else:
            raise ConfigurationError(f"{path}: is neither .csv, .csv.gz nor .parquet")
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error}") from error
    except pa.ArrowInvalid as error:
        raise ContractViolation(f"{path}: {error}") from error
    return EntityRows.from_arrow(table.replace_schema_metadata(None))
