"""The rows that features are joined to: what is wanted of which entities, as of when."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.stores.keys import entity_ids
from foundation.errors import ContractViolation

INSTANT = pa.timestamp("us", "UTC")
_TIMESTAMP_COLUMN = "event_timestamp"
# With other ones Python can't reckon; PostgreSQL's infinity is one of those.
_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True)
class EntityCodes:
    """
    Entities by number.

    Attributes:
        ids: Distinct entity ids.
        codes: Of each row, its entity's place in `ids`, int32; null where a key is null.
    """

    ids: pa.Array
    codes: pa.Array


@dataclass(frozen=True)
class EntityRows:
    """
    A table whose rows are each about some entities at an instant.

    Attributes:
        table: Its columns, labels and all; the timestamps as aware instants.
        timestamp_column: Which column holds the instants.
    """

    table: pa.Table
    timestamp_column: str

    @classmethod
    def from_pandas(cls, frame: pd.DataFrame) -> Self:
        """
        Return a frame's rows, without its index.

        Raises:
            ContractViolation: It has no column of timestamps, or what is no table's.
        """
        _refuse_repeated(list(map(str, frame.columns)))
        name = _timestamp_column(
            {
                name: pd.api.types.is_datetime64_any_dtype(frame[name].dtype)
                for name in frame.columns
            }
        )
        instants = frame[name]
        if not pd.api.types.is_datetime64_any_dtype(instants.dtype):
            instants = _parsed(instants)
        try:
            table = pa.Table.from_pandas(frame.assign(**{name: instants}), preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ContractViolation(
                f"entity rows: {error}", hint="Each column must be of one type."
            ) from error
        return cls.from_arrow(table.replace_schema_metadata(None))

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Self:
        """
        Return a table's rows.

        Raises:
            ContractViolation: It has no column of timestamps, or two columns of one name, or a
                timestamp is infinite.
        """
        _refuse_repeated(table.column_names)
        name = _timestamp_column({f.name: _is_instant(f.type) for f in table.schema})
        place = table.schema.get_field_index(name)
        instants = pa.chunked_array([_instants(table[name].combine_chunks())], INSTANT)
        _check_range(name, instants)
        return cls(table.set_column(place, pa.field(name, INSTANT), instants), name)

    @property
    def instants(self) -> pa.Array:
        """Of each row, when; null where the table does not say."""
        return self.table[self.timestamp_column].combine_chunks()

    def bounds(self) -> tuple[datetime, datetime] | None:
        """Return the first and the last instant; None if there is none."""
        found = pc.min_max(self.instants).as_py()
        if found["min"] is None:
            return None
        return found["min"].astimezone(UTC), found["max"].astimezone(UTC)

    def entities(self, join_keys: Sequence[str]) -> EntityCodes:
        """
        Return the entities of the rows.

        Args:
            join_keys: Columns of the keys, in the order that the entity declares.

        Raises:
            ContractViolation: A column is missing, or holds no ids.
        """
        columns = [self._key(name) for name in join_keys]
        encoded = entity_ids(columns).dictionary_encode()
        return EntityCodes(ids=encoded.dictionary, codes=encoded.indices)

    def _key(self, name: str) -> pa.Array:
        if name not in self.table.column_names:
            raise ContractViolation(
                f"entity rows: there is no column {name!r}",
                hint=f"The columns are {', '.join(self.table.column_names)}.",
            )
        column = self.table[name].combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if not (
            pa.types.is_string(column.type)
            or pa.types.is_large_string(column.type)
            or pa.types.is_integer(column.type)
            or pa.types.is_null(column.type)
        ):
            raise ContractViolation(
                f"entity rows, {name}: is of type {column.type}, ids are texts or whole numbers",
                # astype(str) would make the ids "1.0" and "nan" of them.
                hint=f'frame[{name!r}] = frame[{name!r}].astype("Int64").astype("string")'
                if pa.types.is_floating(column.type)
                else "",
            )
        return column.cast(pa.string())


def _refuse_repeated(names: Sequence[str]) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ContractViolation(
            f"entity rows: more than one column is called {', '.join(map(repr, repeated))}",
            hint="Rename them, or leave all but one out.",
        )


def _is_instant(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _timestamp_column(temporal: dict[str, bool]) -> str:
    if _TIMESTAMP_COLUMN in temporal:
        return _TIMESTAMP_COLUMN
    found = [name for name, is_temporal in temporal.items() if is_temporal]
    if len(found) != 1:
        raise ContractViolation(
            f"entity rows: there is no column {_TIMESTAMP_COLUMN!r}",
            hint=f"Its timestamps say as of when each row wants its features; of {len(found)} "
            "columns of timestamps none is taken for it.",
        )
    return found[0]


def _parsed(instants: "pd.Series[Any]") -> "pd.Series[pd.Timestamp]":
    """Return texts, or objects that Python made, as instants; naive ones are of UTC."""
    if pd.api.types.is_numeric_dtype(instants.dtype):
        raise _no_instants(str(instants.dtype))
    try:
        return pd.to_datetime(instants, utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        reason = str(error).partition(". ")[0]
        raise ContractViolation(
            f"entity rows: no timestamps: {reason}", hint="For example 2026-11-01T00:00:00Z."
        ) from error


def _check_range(name: str, instants: pa.ChunkedArray) -> None:
    within = pc.and_(
        pc.greater_equal(instants, pa.scalar(_FIRST)), pc.less_equal(instants, pa.scalar(_LAST))
    )
    if not pc.all(within, min_count=0).as_py():
        raise ContractViolation(
            f"entity rows, {name}: {pc.sum(pc.invert(within))} timestamps are infinite, or not of "
            f"the years {_FIRST.year} to {_LAST.year}"
        )


def _instants(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Rounded down: up would let in what comes later.
        microseconds = np.floor_divide(column.cast(pa.int64()).fill_null(0).to_numpy(), 1_000)
        return pa.array(microseconds, mask=~column.is_valid().to_numpy(False)).cast(INSTANT)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _instants(pa.array(_parsed(column.to_pandas())))
    if not (_is_instant(column.type) or pa.types.is_null(column.type)):
        raise _no_instants(str(column.type))
    try:
        # Naive ones are of UTC.
        naive_or_aware = column.cast(pa.timestamp("us", getattr(column.type, "tz", None)))
        return naive_or_aware.cast(INSTANT)
    except pa.ArrowInvalid as error:
        raise ContractViolation(f"entity rows: no timestamps: {error}") from error


def _no_instants(kind: str) -> ContractViolation:
    """Return an error: numbers don't say what they count, nor times of which day they are."""
    return ContractViolation(
        f"entity rows: timestamps are of type {kind}, which tells no instant",
        hint="Of seconds since 1970: pd.to_datetime(frame['event_timestamp'], unit='s', utc=True).",
    )
