"""Which values of a computation on demand may be served."""

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.registry.metadata import FeatureType, FeatureVersion


def in_valid_range(feature: FeatureVersion, values: pa.ChunkedArray) -> pa.Array:
    """
    Tell of each value whether it is finite and within the feature's valid range.

    Args:
        feature: Says what is valid.
        values: Of the feature's Arrow type; of a map or vector, each item counts.

    Returns:
        One boolean a value; none is null.
    """
    column = values.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    present = column.is_valid()
    if feature.feature_type is FeatureType.STRING:
        return present
    if feature.feature_type is FeatureType.FLOAT:
        return pc.and_(present, _sound(feature, column))
    items = column.items if feature.feature_type is FeatureType.MAP else column.values
    lists = pa.ListArray.from_arrays(column.offsets, items)
    wrong = pc.list_parent_indices(lists).filter(pc.invert(_sound(feature, items)))
    rows = pa.array(range(len(column)), wrong.type)
    return pc.and_(present, pc.invert(pc.is_in(rows, value_set=wrong)))


def _sound(feature: FeatureVersion, numbers: pa.Array) -> pa.Array:
    finite = pc.is_finite(numbers)
    if feature.valid_range is not None:
        least, greatest = feature.valid_range
        finite = pc.and_(
            finite, pc.and_(pc.greater_equal(numbers, least), pc.less_equal(numbers, greatest))
        )
    return pc.fill_null(finite, fill_value=False)
