"""
Feature values as JSON text, and back, a whole column at a time.

The text is canonical: numbers in their shortest form that reads back exactly, map keys in byte
order. One value therefore has one text, whichever path wrote it.
"""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.registry.metadata import FeatureType

Ranks = np.ndarray[tuple[int], np.dtype[np.int64]]

VALUE_TYPES: dict[FeatureType, pa.DataType] = {
    FeatureType.FLOAT: pa.float64(),
    FeatureType.STRING: pa.string(),
    FeatureType.VECTOR: pa.list_(pa.float32()),
    FeatureType.MAP: pa.map_(pa.string(), pa.float64()),
}


def encode(values: pa.Array, feature_type: FeatureType) -> pa.StringArray:
    """
    Return the JSON text of each value.

    Args:
        values: one value an entity, of the feature type's Arrow type in `VALUE_TYPES`; no item of a
            vector or map is null, and no number is NaN or infinite (the quality gate sees to both).
        feature_type: decides the form.

    Returns:
        One text a value; null stays null.
    """
    if feature_type in {FeatureType.VECTOR, FeatureType.MAP}:
        values = pa.concat_arrays([values])  # a slice's children still hold what was cut away
    match feature_type:
        case FeatureType.FLOAT:
            return pc.cast(values, pa.string())
        case FeatureType.STRING:
            return _quoted(values)
        case FeatureType.VECTOR:
            return _enclosed("[", pc.cast(values.values, pa.string()), values, "]")
        case FeatureType.MAP:
            ordered = _with_ordered_keys(values)
            keys = _quoted_by_dictionary(ordered.keys)
            entries = pc.binary_join_element_wise(keys, pc.cast(ordered.items, pa.string()), ":")
            return _enclosed("{", entries, ordered, "}")


def decode(texts: pa.Array, feature_type: FeatureType) -> pa.Array:
    """
    Return the values of JSON texts, of the feature type's Arrow type in `VALUE_TYPES`.

    Args:
        texts: JSON texts as strings; null stays null, and JSON's null is one.
        feature_type: decides the type.
    """
    texts = pc.if_else(pc.equal(texts, "null"), pa.scalar(None, pa.string()), texts)
    if feature_type is FeatureType.FLOAT:
        return pc.cast(texts, pa.float64())
    if feature_type is FeatureType.VECTOR and not pc.any(pc.equal(texts, "[]")).as_py():
        return _split_vectors(texts)
    parsed = [None if text is None else json.loads(text) for text in texts.to_pylist()]
    if feature_type is FeatureType.MAP:
        parsed = [None if value is None else list(value.items()) for value in parsed]
    return pa.array(parsed, VALUE_TYPES[feature_type])


def _split_vectors(texts: pa.Array) -> pa.Array:
    """Return the vectors of texts, none of which is empty, without a Python object per number."""
    items = pc.split_pattern(pc.utf8_trim(texts, "[]"), ",")
    numbers = pc.cast(pc.utf8_trim_whitespace(items.values), pa.float32())  # jsonb writes ", "
    return pa.ListArray.from_arrays(items.offsets, numbers, mask=texts.is_null())


def _quoted(strings: pa.Array) -> pa.StringArray:
    plain = pc.binary_join_element_wise('"', strings, '"', "")
    special = pc.fill_null(pc.match_substring_regex(strings, r'["\\\x00-\x1f]'), False)
    if not pc.any(special).as_py():
        return plain
    escaped = [json.dumps(s, ensure_ascii=False) for s in pc.filter(strings, special).to_pylist()]
    return pc.replace_with_mask(plain, special, pa.array(escaped, pa.string()))


def _quoted_by_dictionary(keys: pa.Array) -> pa.StringArray:
    encoded = pc.dictionary_encode(keys)
    return pc.take(_quoted(encoded.dictionary), encoded.indices)


def _enclosed(opening: str, items: pa.StringArray, shape: pa.Array, closing: str) -> pa.StringArray:
    """Join the items of each list of `shape` with commas, between brackets."""
    lists = pa.ListArray.from_arrays(shape.offsets, items, mask=shape.is_null())
    return pc.binary_join_element_wise(opening, pc.binary_join(lists, ","), closing, "")


def _with_ordered_keys(maps: pa.MapArray) -> pa.MapArray:
    rows = np.repeat(np.arange(len(maps)), np.diff(maps.offsets.to_numpy()))
    ranks = _byte_order_ranks(maps.keys)
    if not np.any((rows[1:] == rows[:-1]) & (ranks[1:] < ranks[:-1])):
        return maps
    order = pa.array(np.lexsort((ranks, rows)))
    return pa.MapArray.from_arrays(
        maps.offsets, maps.keys.take(order), maps.items.take(order), mask=maps.is_null()
    )


def _byte_order_ranks(keys: pa.Array) -> Ranks:
    encoded = pc.dictionary_encode(keys)
    # Arrow orders strings by their bytes.
    ranks = pc.rank(encoded.dictionary, sort_keys="ascending").to_numpy()
    by_key: Ranks = ranks.astype(np.int64)[encoded.indices.to_numpy()]
    return by_key
