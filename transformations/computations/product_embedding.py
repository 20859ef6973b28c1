"""What each product's texts mean, as a vector."""

from datetime import datetime

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from transformations.computations.decay import instant
from transformations.computations.fitted import Fitted
from transformations.embedding import Embed


def extract(*, products: ir.Table, as_of: datetime) -> ir.Table:
    """
    Return each product's text.

    Args:
        products: product_id, title, description, created_at.
        as_of: Aware instant of the answer; products created later don't exist yet.

    Returns:
        product_id, text: title and description; one row a product created at or before `as_of`.
    """
    existing = products.filter(products.created_at <= instant(as_of))
    text = (existing.title + "\n" + existing.description.fill_null("")).strip()
    return existing.select("product_id", text=text)


def fit(extracted: pa.Table, *, as_of: datetime, embed: Embed) -> Fitted:  # noqa: ARG001 - contract
    """
    Embed the texts; equal ones once.

    Args:
        extracted: product_id and text.
        as_of: Of `extracted`.
        embed: Turns texts into vectors.

    Returns:
        product_embedding: product_id, feature_value list<float32>.
    """
    texts = extracted["text"].combine_chunks().dictionary_encode()
    vectors = embed(texts.dictionary.to_pylist())
    by_product = vectors[texts.indices.to_numpy()]
    lengths = np.full(len(by_product) + 1, vectors.shape[1], np.int32)
    lengths[0] = 0
    values = pa.ListArray.from_arrays(
        pa.array(np.cumsum(lengths, dtype=np.int32)), pa.array(by_product.reshape(-1))
    )
    return Fitted(
        {
            "product_embedding": pa.table(
                {"product_id": extracted["product_id"], "feature_value": values}
            )
        }
    )
