"""What tiers are asked for, and what they answer; pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.keys import escape, keys_of
from foundation.errors import ContractViolation
from foundation.redis_commands import Keys

Item = TypeVar("Item")
Vector = Sequence[float]


class Column(NamedTuple):
    """
    One feature version of some entities.

    Attributes:
        feature: The version.
        entity_ids: Distinct ids as stores know them, see `canonical_ids`.
        query_embedding: Stands in for the embedding of the query; None: the model gives it.
        is_known: Whether the entities are; otherwise nobody is asked about them.
    """

    feature: FeatureVersion
    entity_ids: Sequence[str]
    query_embedding: Vector | None = None
    is_known: bool = True

    def keys(self) -> Keys:
        """Return the Redis keys of the values."""
        return keys_of(self.feature.feature_name, self.feature.version, self.entity_ids)

    def only(self, rows: Sequence[int]) -> "Column":
        """Return the column of some of its entities."""
        if len(rows) == len(self.entity_ids):
            return self
        return self._replace(entity_ids=[self.entity_ids[row] for row in rows])


class Found(NamedTuple):
    """
    What a tier has of a column.

    Attributes:
        texts: The values' JSON texts; None for those it doesn't have.
        timestamps: Their event timestamps; None where nobody asked for them.
        is_unavailable: Whether the tier could not answer, so that what is missing may exist.
    """

    texts: Sequence[bytes | None]
    timestamps: Sequence[datetime | None] | None = None
    is_unavailable: bool = False


def by_column(columns: Sequence[Column], items: Sequence[Item]) -> list[Sequence[Item]]:
    """Return items of all entities of columns, which follow each other, column by column."""
    parts, start = [], 0
    for column in columns:
        stop = start + len(column.entity_ids)
        parts.append(items[start:stop])
        start = stop
    return parts


def nothing_of(column: Column, *, is_unavailable: bool = False) -> Found:
    """Return the answer of a tier that has no value of a column."""
    return Found([None] * len(column.entity_ids), is_unavailable=is_unavailable)


def escaped(values: Sequence[str]) -> Sequence[str]:
    """Return join key values as they stand in entity ids."""
    together = "".join(values)
    needs_escape = "%" in together or ":" in together
    return list(map(escape, values)) if needs_escape else values


def columns_of(features: Sequence[FeatureVersion], entity_ids: Sequence[str]) -> list[Column]:
    """
    Return the columns of features of the same entities, whose ids are as callers write them.

    Raises:
        ContractViolation: As of `canonical_ids`.
    """
    # Ids of one part are the same for all features, and those of most.
    single = escaped(entity_ids)
    return [
        Column(f, single if len(f.join_keys) == 1 else canonical_ids(f, entity_ids))
        for f in features
    ]


def canonical_ids(feature: FeatureVersion, entity_ids: Sequence[str]) -> Sequence[str]:
    """
    Return ids as stores know them, from ids as callers write them.

    Those of composite entities are written escaped and joined already.

    Raises:
        ContractViolation: An id has the wrong number of parts for a composite entity.
    """
    parts = len(feature.join_keys)
    if parts == 1:
        return escaped(entity_ids)
    for entity_id in entity_ids:
        if entity_id.count(":") + 1 != parts:
            raise ContractViolation(
                f"entity id {entity_id!r} does not have the {parts} parts of "
                f"{feature.feature_name}",
                hint=f"Join {' and '.join(feature.join_keys)} with ':'; within them write '%' as "
                "'%25' and ':' as '%3A'.",
            )
    return entity_ids
