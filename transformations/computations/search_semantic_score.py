"""How near each product's meaning is to a search."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transformations.computations.search_keyword_score import LONGEST_QUERY
from transformations.embedding import Embed, Vectors

# What differs between machines lies below.
_DECIMALS = 6


def combine(wanted: pa.Table, *, product_embedding: pa.Table, embed: Embed) -> pa.Table:
    """
    Score pairs of product and query by the cosine of their vectors.

    Args:
        wanted: product_id and query, distinct; no null.
        product_embedding: product_id, feature_value list<float32>, all of one length; one row a
            product.
        embed: Turns texts into vectors.

    Returns:
        product_id, query, feature_value [0, 1]: 0 for opposed vectors, and for a blank query. No
        row for a product without an embedding.
    """
    rows = pc.index_in(wanted["product_id"], product_embedding["product_id"].combine_chunks())
    known = wanted.filter(rows.is_valid())
    if known.num_rows == 0:
        return known.append_column("feature_value", pa.array([], pa.float64()))
    products = _unit_vectors(_matrix(product_embedding["feature_value"]))
    texts = pc.utf8_slice_codeunits(known["query"].combine_chunks(), 0, LONGEST_QUERY)
    queries = pc.utf8_trim_whitespace(texts).dictionary_encode()
    query_vectors = _unit_vectors(embed(queries.dictionary.to_pylist()))
    blank = pc.equal(pc.binary_length(queries.dictionary), 0).to_numpy(zero_copy_only=False)
    query_vectors[blank] = 0.0
    cosines = np.einsum(
        "ij,ij->i",
        products[rows.drop_null().to_numpy()],
        query_vectors[queries.indices.to_numpy()],
    )
    scores = np.clip(cosines, 0.0, 1.0).round(_DECIMALS)
    return known.append_column("feature_value", pa.array(scores))


def _matrix(vectors: pa.ChunkedArray) -> Vectors:
    lists = vectors.combine_chunks()
    matrix: Vectors = lists.flatten().to_numpy().reshape(len(lists), -1)
    return matrix


def _unit_vectors(vectors: Vectors) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return vectors of length 1; those of length 0 stay, near to nothing."""
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    np.divide(exact, lengths, out=exact, where=lengths > 0)
    return exact
