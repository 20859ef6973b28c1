"""
The JSON of answers, spliced from the values' JSON texts; pure.

The texts go in as they are: decoding and encoding them again would cost more than all else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from feature_repo.registry.metadata import FeatureVersion
from serving_gateway.columns import Column
from serving_gateway.reading import CollectedColumn, Reading, origins


@dataclass(slots=True)
class Answer:
    """
    The values of a request.

    Attributes:
        reading: Its columns, a feature each.
        read_at: When.
    """

    reading: Reading
    read_at: datetime

    def summary(self) -> bytes:
        """Return what every answer says of its values, as the inside of a JSON object."""
        reading = self.reading
        told = {
            "counts": reading.counts,
            "stale": reading.stale_count,
            "degraded": reading.is_degraded,
        }
        return b"%b,%b" % (reading.selection.told, orjson.dumps(told)[1:-1])


@dataclass(slots=True)
class EntityAnswer(Answer):
    """
    Every feature of every entity.

    Attributes:
        entity_ids: As the caller wrote them.
    """

    entity_ids: Sequence[str]

    def values(self) -> bytes:
        """Return `{entity_id: {feature_name: value}}`."""
        return self._spliced([collected.value_texts() for collected in self.reading.columns])

    def origins(self) -> bytes:
        """Return `{entity_id: {feature_name: where the value comes from}}`."""
        return self._spliced([origins(c, now=self.read_at) for c in self.reading.columns])

    def _spliced(self, columns: Sequence[Sequence[bytes]]) -> bytes:
        template = b'"%b":{' + self.reading.selection.fields + b"},"
        return b"{%b}" % _filled(template, [_unquoted(self.entity_ids), *columns])


@dataclass(slots=True)
class RowAnswer(Answer):
    """
    A row a product, with the features of the product, the user and both.

    Attributes:
        product_ids: As the caller wrote them.
    """

    product_ids: Sequence[str]

    def rows(self) -> bytes:
        """Return `[{"product_id": ..., feature_name: value}]`."""
        return self._spliced([collected.value_texts() for collected in self.reading.columns])

    def origins(self) -> bytes:
        """Return the rows with where each value comes from in its place."""
        return self._spliced([origins(c, now=self.read_at) for c in self.reading.columns])

    def _spliced(self, columns: Sequence[Sequence[bytes]]) -> bytes:
        template = b'{"product_id":"%b",' + self.reading.selection.fields + b"},"
        wide = [
            texts if _is_per_product(collected) else [texts[0]] * len(self.product_ids)
            for collected, texts in zip(self.reading.columns, columns, strict=True)
        ]
        return b"[%b]" % _filled(template, [_unquoted(self.product_ids), *wide])


def row_column(
    feature: FeatureVersion,
    product_ids: Sequence[str],
    constants: Mapping[str, str],
    query_embedding: Sequence[float] | None,
) -> Column:
    """
    Return what a feature contributes to the rows of products.

    Args:
        feature: Its join keys are `product_id` and others.
        product_ids: Escaped.
        constants: The other join keys' values, escaped. If one is missing nobody can be asked.
        query_embedding: Of the query, if the caller has it.
    """
    is_wide = "product_id" in feature.join_keys
    if any(key != "product_id" and key not in constants for key in feature.join_keys):
        return Column(feature, [""] * (len(product_ids) if is_wide else 1), is_known=False)
    parts = [
        "%s" if join_key == "product_id" else constants[join_key].replace("%", "%%")
        for join_key in feature.join_keys
    ]
    template = ":".join(parts)
    if not is_wide:
        return Column(feature, [template % ()])
    embedding = query_embedding if "query" in feature.join_keys else None
    return Column(feature, [template % product_id for product_id in product_ids], embedding)


def _is_per_product(collected: CollectedColumn) -> bool:
    return "product_id" in collected.column.feature.join_keys


def _filled(template: bytes, columns: Sequence[Sequence[bytes]]) -> bytes:
    """
    Return the template once a row, its placeholders filled from the columns in turn.

    Args:
        template: Ends with a comma, which the last row goes without.
        columns: All of one length.
    """
    first, *others = template.split(b"%b")
    row = [first]
    for text in others:
        row += [b"", text]
    # One join of all pieces is twice as fast as `template % row`, row by row.
    pieces = row * len(columns[0])
    for place, column in enumerate(columns):
        pieces[2 * place + 1 :: len(row)] = column
    return b"".join(pieces)[:-1]


def _unquoted(texts: Sequence[str]) -> list[bytes]:
    """Return the JSON texts of strings, without the quotes around them."""
    if not texts:
        return []
    together = orjson.dumps(texts)
    if b"\\" in together:
        return [orjson.dumps(text)[1:-1] for text in texts]
    # Nothing is escaped, so quotes are around texts only. Each on its own takes ten times as long.
    return together[2:-2].split(b'","')
