"""Do two columns say the same?"""

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.json_values import encode


def differs(first: pa.Array, second: pa.Array) -> pa.Array:
    """
    Return whether two columns differ, row by row; null equals null only.

    Args:
        first: Of any type that a feature or an entity row may have.
        second: Of the same length and type.
    """
    first, second = _comparable(first), _comparable(second)
    one_is_null = pc.xor(first.is_null(), second.is_null())
    return pc.fill_null(pc.or_kleene(one_is_null, pc.not_equal(first, second)), False)


def _comparable(column: pa.Array) -> pa.Array:
    if pa.types.is_map(column.type):
        return encode(column, FeatureType.MAP)
    if pa.types.is_list(column.type):
        return encode(column, FeatureType.VECTOR)
    return column
