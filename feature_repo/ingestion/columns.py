"""The columns a source file must have, and what each may hold."""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from pathlib import Path

import pyarrow as pa

from foundation.errors import ContractViolation


class Kind(Enum):
    """What a column holds; a CSV file has text for each of them."""

    TEXT = auto()
    NUMBER = auto()
    INSTANT = auto()


EVENT_COLUMNS: Mapping[str, Kind] = {
    "event_id": Kind.TEXT,
    "user_id": Kind.TEXT,
    "product_id": Kind.TEXT,
    "event_type": Kind.TEXT,
    "event_timestamp": Kind.INSTANT,
}

PRODUCT_COLUMNS: Mapping[str, Kind] = {
    "product_id": Kind.TEXT,
    "title": Kind.TEXT,
    "description": Kind.TEXT,
    "category": Kind.TEXT,
    "price": Kind.NUMBER,
    "created_at": Kind.INSTANT,
    "updated_at": Kind.INSTANT,
}


def check_names(path: Path, names: Sequence[str], columns: Mapping[str, Kind]) -> None:
    """
    Compare a file's columns with those it must have; their order does not matter.

    Raises:
        ContractViolation: A column is missing, unexpected, or there twice.
    """
    problems = {
        "missing": [name for name in columns if name not in names],
        "unexpected": [name for name in names if name not in columns],
        "repeated": [name for name in columns if names.count(name) > 1],
    }
    if any(problems.values()):
        listed = "; ".join(
            f"{kind} {', '.join(found)}" for kind, found in problems.items() if found
        )
        raise ContractViolation(
            f"{path}: wrong columns: {listed}",
            hint=f"The columns must be {', '.join(columns)}. Nothing was loaded.",
        )


def check_types(path: Path, schema: pa.Schema, columns: Mapping[str, Kind]) -> None:
    """
    Compare the types of a Parquet file's columns with what they must hold.

    Raises:
        ContractViolation: A column's type can't hold what the column means.
    """
    for name, kind in columns.items():
        found = schema.field(name).type
        if not (is_text(found) or _is_typed(found, kind)):
            raise ContractViolation(
                f"{path}: column {name} is {found}, but must be {_EXPECTED_TYPES[kind]}",
                hint="Nothing was loaded.",
            )


_EXPECTED_TYPES = {
    Kind.TEXT: "a string",
    Kind.NUMBER: "a number",
    Kind.INSTANT: "a timestamp, or text in ISO 8601",
}


def is_text(found: pa.DataType) -> bool:
    """Say whether a column of this type holds strings only, or nothing at all."""
    if pa.types.is_dictionary(found):
        found = found.value_type
    # A column without any value has the type null.
    return any(
        is_type(found)
        for is_type in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_null,
        )
    )


def _is_typed(found: pa.DataType, kind: Kind) -> bool:
    match kind:
        case Kind.TEXT:
            return bool(pa.types.is_integer(found))
        case Kind.NUMBER:
            return any(
                is_type(found)
                for is_type in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
            )
        case Kind.INSTANT:
            return bool(pa.types.is_timestamp(found) or pa.types.is_date(found))
