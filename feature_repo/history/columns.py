"""Which columns of features are wanted, and what was found for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.history.entity_rows import EntityRows
from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import ContractViolation


@dataclass(frozen=True)
class WantedColumn:
    """
    A feature version to join to entity rows.

    Attributes:
        feature: Which.
        join_keys: Columns of the entity rows that hold its join keys, in its order.
        name: Of the column that is wanted.
        dependencies: Versions that it is computed from, if it is not stored.
    """

    feature: FeatureVersion
    join_keys: tuple[str, ...]
    name: str
    dependencies: tuple[FeatureVersion, ...] = ()


@dataclass
class Watermark:
    """
    What was read for a column.

    Attributes:
        row_count: Values that a row may have got, of the wanted entities and time.
        newest_timestamp: Of their event timestamps; None if there were none.
        newest_created: Of the instants at which they were written; None if the terms don't ask.
    """

    row_count: int = 0
    newest_timestamp: datetime | None = None
    newest_created: datetime | None = None

    def add(self, candidates: pa.Table) -> None:
        """Count what was read from one place."""
        if candidates.num_rows:
            self.row_count += candidates.num_rows
            for name in {"timestamp", "created"} & set(candidates.column_names):
                newest = pc.max(candidates[name]).as_py()
                known = getattr(self, f"newest_{name}")
                setattr(self, f"newest_{name}", max(newest, known or newest))


@dataclass(frozen=True)
class FeatureColumn:
    """
    A feature version, joined to entity rows.

    Attributes:
        wanted: What it is.
        values: One a row, of the feature's Arrow type; null where there is none.
        timestamps: Event timestamps of the values that are stored; null where it is not.
        computed_count: How many values were computed because none was stored.
        watermark: What was read.
    """

    wanted: WantedColumn
    values: pa.Array
    timestamps: pa.Array
    computed_count: int
    watermark: Watermark


def joined(rows: EntityRows, columns: Sequence[FeatureColumn]) -> pa.Table:
    """
    Return entity rows with columns of features.

    Raises:
        ContractViolation: A column of the rows has the name of a feature.
    """
    return with_columns(rows.table, {column.wanted.name: column.values for column in columns})


def with_columns(table: pa.Table, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    """
    Return entity rows with more columns.

    Raises:
        ContractViolation: There is one of that name already.
    """
    for name, values in columns.items():
        if name in table.column_names:
            raise ContractViolation(
                f"entity rows: there is a column {name!r} already, like the feature",
                hint="Rename it, or ask for full_feature_names.",
            )
        table = table.append_column(name, values)
    return table
