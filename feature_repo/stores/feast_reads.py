"""How all feature views of one Feast request are read from Redis together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feast import FeatureView, utils
from feast.protos.feast.serving.ServingService_pb2 import GetOnlineFeaturesResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.keys import redis_keys
from feature_repo.stores.protos import proto_entity_id, proto_value
from feature_repo.stores.redis_reads import TimedText

# Event timestamp, and value by feature name; two None where there is no fresh value.
ReadRow = tuple[datetime | None, dict[str, Value] | None]


@dataclass(frozen=True)
class PlannedRead:
    """
    What one request wants of one feature view.

    Attributes:
        keys: Redis keys of its unique entities.
        indexes: For each of them, its rows of the answer.
        output_length: Rows of the answer.
    """

    table: FeatureView
    names: list[str]
    feature: FeatureVersion
    keys: list[str]
    indexes: Sequence[list[int]]
    output_length: int


def plan_read(
    feature: FeatureVersion,
    table: FeatureView,
    names: list[str],
    join_key_values: dict[str, list[Value]],
    entity_name_to_join_key_map: dict[str, str],
) -> PlannedRead:
    """Find out which keys a request needs of a feature view, as Feast's own stores do."""
    entity_values, indexes, output_length = utils._get_unique_entities(  # noqa: SLF001 - Feast's hook needs it
        table, join_key_values, entity_name_to_join_key_map
    )
    entity_keys = utils._get_entity_key_protos(entity_values)  # noqa: SLF001 - the same
    keys = proto_keys(feature, entity_keys)
    return PlannedRead(table, names, feature, keys, indexes, output_length)


def proto_keys(feature: FeatureVersion, entity_keys: Sequence[EntityKey]) -> list[str]:
    """Return the Redis keys of a feature version's values for Feast's entity keys."""
    entity_ids = [proto_entity_id(entity_key, feature.join_keys) for entity_key in entity_keys]
    return redis_keys(feature.feature_name, feature.version, entity_ids)


def flattened(reads: Sequence[PlannedRead]) -> tuple[list[FeatureVersion], list[str]]:
    """Return the keys of all reads, and whose value each holds."""
    features = [read.feature for read in reads for _ in read.keys]
    return features, [key for read in reads for key in read.keys]


def read_rows(feature: FeatureVersion, found: Sequence[TimedText]) -> list[ReadRow]:
    """Return what was found of one feature version in Feast's form."""
    return [
        (None, None)
        if timed is None
        else (timed[1], {feature.feature_name: proto_value(timed[0], feature.feature_type)})
        for timed in found
    ]


def populate(
    response: GetOnlineFeaturesResponse,
    reads: Sequence[PlannedRead],
    found: Sequence[TimedText],
    full_feature_names: bool,  # noqa: FBT001 - passed on as Feast passes it
    with_version_metadata: bool,  # noqa: FBT001 - the same
) -> None:
    """Put what was found for all reads, in the order of their keys, into Feast's response."""
    start = 0
    for read in reads:
        stop = start + len(read.keys)
        utils._populate_response_from_feature_data(  # noqa: SLF001 - Feast's hook needs it
            read.names,
            read_rows(read.feature, found[start:stop]),
            read.indexes,
            response,
            full_feature_names,
            read.table,
            read.output_length,
            with_version_metadata,
        )
        start = stop
