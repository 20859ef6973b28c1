"""Text to typed values, a whole column at a time; what can't be parsed becomes null."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

INSTANT = pa.timestamp("us", "UTC")

# What both Python and PostgreSQL can hold.
_FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)
_LAST_INSTANT = datetime.max.replace(tzinfo=UTC)
# Only the form, so that whole columns of another format fail fast; casting sees to the rest.
_WITHOUT_OFFSET = r"^\d{4}-\d\d-\d\d(?:[T ][\d:.]+)?$"
_WITH_OFFSET = r"^\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d(?::?\d\d)?)$"


def parse_instants(column: pa.Array) -> pa.Array:
    """
    Return instants in UTC.

    Args:
        column: Text in ISO 8601, timestamps or dates. Without an offset they mean UTC; digits
            beyond microseconds are cut off.

    Returns:
        timestamp[us, UTC]; null where nothing, or no instant of the years 1 to 9999, was given.
    """
    if pa.types.is_string(column.type):
        instants = _parse_texts(column)
    elif pa.types.is_timestamp(column.type):
        instants = _to_microseconds(column)
    else:
        instants = pc.cast(pc.cast(column, pa.timestamp("us")), INSTANT)
    return _null_unless(_is_in_range(instants), instants)


def parse_numbers(column: pa.Array) -> pa.Array:
    """Return finite float64 values; null where nothing, or no such number, was given."""
    numbers = cast_or_null(column, pa.float64())
    return _null_unless(pc.is_finite(numbers), numbers)


def cast_or_null(column: pa.Array, target: pa.DataType) -> pa.Array:
    """
    Cast what can be cast; the rest becomes null.

    Arrow casts an array whole or not at all: one that fails is halved until its culprits are alone.
    """
    try:
        return pc.cast(column, target)
    except pa.ArrowInvalid:
        if len(column) == 1:
            return pa.nulls(1, target)
        middle = len(column) // 2
        halves = (column.slice(0, middle), column.slice(middle))
        return pa.concat_arrays([cast_or_null(half, target) for half in halves])


def _parse_texts(texts: pa.StringArray) -> pa.Array:
    texts = pc.replace_substring_regex(texts, r"(\.\d{6})\d+", r"\1")
    with_offset = _null_unless(pc.match_substring_regex(texts, _WITH_OFFSET), texts)
    without = _null_unless(pc.match_substring_regex(texts, _WITHOUT_OFFSET), texts)
    return pc.coalesce(
        cast_or_null(with_offset, INSTANT),
        pc.cast(cast_or_null(without, pa.timestamp("us")), INSTANT),
    )


def _to_microseconds(column: pa.Array) -> pa.Array:
    naive_or_not = pa.timestamp("us", column.type.tz)
    # Coarser units reach further than microseconds can; finer ones are cut off.
    exact = column.type.unit in {"s", "ms"}
    microseconds = (
        cast_or_null(column, naive_or_not) if exact else pc.cast(column, naive_or_not, safe=False)
    )
    return pc.cast(microseconds, INSTANT)


def _is_in_range(instants: pa.Array) -> pa.Array:
    return pc.and_(
        pc.greater_equal(instants, pa.scalar(_FIRST_INSTANT, INSTANT)),
        pc.less_equal(instants, pa.scalar(_LAST_INSTANT, INSTANT)),
    )


def _null_unless(condition: pa.Array, values: pa.Array) -> pa.Array:
    return pc.if_else(condition, values, pa.scalar(None, values.type))
