"""Do two columns say the same?"""

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.json_values import encode


def differs(first: pa.Array, second: pa.Array) -> pa.Array:
    """
    Return whether two columns differ, row by row; null equals null only, and NaN equals NaN.

    Args:
        first: Of any type that a feature may have.
        second: Of the same length and type.
    """
    first, second = _comparable(first), _comparable(second)
    one_is_null = pc.xor(first.is_null(), second.is_null())
    unequal = pc.not_equal(first, second)
    if pa.types.is_floating(first.type):
        unequal = pc.and_not_kleene(unequal, pc.and_kleene(pc.is_nan(first), pc.is_nan(second)))
    return pc.fill_null(pc.or_kleene(one_is_null, unequal), False)


def count_different(first: pa.ChunkedArray, second: pa.ChunkedArray) -> int:
    """
    Return in how many rows two columns differ: in all of them, if their types do.

    Args:
        first: Of any type that a feature may have.
        second: Of the same length.
    """
    if first.type != second.type:
        return len(first)
    return int(pc.sum(differs(first.combine_chunks(), second.combine_chunks())).as_py() or 0)


def _comparable(column: pa.Array) -> pa.Array:
    if pa.types.is_map(column.type):
        return encode(column, FeatureType.MAP)
    if pa.types.is_list(column.type):
        return encode(column, FeatureType.VECTOR)
    return column
