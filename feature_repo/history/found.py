"""From stored values, as they were read, to those that were found for rows. Nothing here reads."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from feature_repo.history.entity_rows import INSTANT
from feature_repo.history.extensions import KnownValues
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES, decode

Places = npt.NDArray[np.int64]

_PARSED = (FeatureType.VECTOR, FeatureType.MAP)


def stored_schema(feature: FeatureVersion, *, with_created: bool) -> pa.Schema:
    """Return the columns of stored values; vectors and maps are JSON text."""
    is_parsed = feature.feature_type in _PARSED
    columns = {
        "entity_id": pa.string(),
        "value": pa.string() if is_parsed else VALUE_TYPES[feature.feature_type],
        "timestamp": INSTANT,
    }
    return pa.schema(columns | ({"created": INSTANT} if with_created else {}))


def known_values(feature: FeatureVersion, candidates: pa.Table, places: pa.Array) -> KnownValues:
    """
    Return what was found for rows.

    Args:
        feature: Whose values.
        candidates: value and timestamp, as in `stored_schema`.
        places: Of each row, where among the candidates its value is; null where none was found.
    """
    values = candidates["value"].chunks
    timestamps = candidates["timestamp"].combine_chunks().take(places)
    if feature.feature_type is not FeatureType.FLOAT:
        # Texts are taken, and parsed, only if any row has them, and then once.
        is_found = places.is_valid().to_numpy(zero_copy_only=False)
        distinct, numbers = np.unique(places.drop_null(), return_inverse=True)
        numbered = np.zeros(len(places), np.int64)
        numbered[is_found] = numbers
        values, places = list(_taken(values, distinct)), pa.array(numbered, mask=~is_found)
    if feature.feature_type in _PARSED:
        values = [decode(texts, feature.feature_type) for texts in values]
    column = pa.concat_arrays([pa.array([], VALUE_TYPES[feature.feature_type]), *values])
    return KnownValues(feature, column, places, timestamps)


def _taken(chunks: Sequence[pa.Array], places: Places) -> Iterator[pa.Array]:
    """Yield what is at ascending places, by chunk: an array may be too small for all of them."""
    start = 0
    for chunk in chunks:
        first, last = np.searchsorted(places, (start, start + len(chunk)))
        yield chunk.take(pa.array(places[first:last] - start))
        start += len(chunk)
