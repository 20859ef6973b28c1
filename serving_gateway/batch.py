"""What one request asks for, and the JSON that answers it; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import orjson

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.keys import escape, redis_keys
from foundation.errors import ContractViolation


@dataclass(frozen=True)
class Batch:
    """
    Every feature for every entity.

    Values are addressed by position: all features of the first entity, then of the second, and so
    on.

    Attributes:
        features: Distinct feature versions.
        entity_ids: Distinct ids, as the caller wrote them.
    """

    features: Sequence[FeatureVersion]
    entity_ids: Sequence[str]

    @property
    def size(self) -> int:
        """Number of values asked for."""
        return len(self.features) * len(self.entity_ids)

    def keys(self) -> list[str]:
        """
        Return the Redis keys of all values, by position.

        Raises:
            ContractViolation: An id has the wrong number of parts for a composite entity.
        """
        columns = [_keys(feature, self.entity_ids) for feature in self.features]
        return list(chain.from_iterable(zip(*columns, strict=True)))

    def spliced(self, texts: Sequence[bytes]) -> bytes:
        """
        Return `{entity_id: {feature_name: value}}` as JSON, from the JSON texts of all values.

        The texts go in as they are; decoding and encoding them again would cost more than all else.
        """
        width = len(self.features)
        fields = ",".join(f'"{feature.feature_name}":%b' for feature in self.features)
        row = b"%b:{" + fields.encode() + b"}"
        columns = (texts[column::width] for column in range(width))
        rows = zip(map(orjson.dumps, self.entity_ids), *columns, strict=True)
        return b"{" + b",".join(map(row.__mod__, rows)) + b"}"


def _keys(feature: FeatureVersion, entity_ids: Sequence[str]) -> list[str]:
    if len(feature.join_keys) > 1:
        _check_parts(feature, entity_ids)
        return redis_keys(feature.feature_name, feature.version, entity_ids)
    return redis_keys(feature.feature_name, feature.version, map(escape, entity_ids))


def _check_parts(feature: FeatureVersion, entity_ids: Sequence[str]) -> None:
    expected = len(feature.join_keys)
    for entity_id in entity_ids:
        if entity_id.count(":") + 1 != expected:
            raise ContractViolation(
                f"entity id {entity_id!r} does not have the {expected} parts of "
                f"{feature.feature_name}",
                hint=f"Join {' and '.join(feature.join_keys)} with ':'; within them write '%' as "
                "'%25' and ':' as '%3A'.",
            )
