"""Feast's protobuf values as Arrow columns and JSON texts, and back."""

import json
from collections.abc import Iterable, Sequence

import pyarrow as pa
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import FloatList, Map, Value

from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.json_values import VALUE_TYPES
from feature_repo.stores.keys import entity_id


def proto_entity_id(entity_key: EntityKey, join_keys: Sequence[str]) -> str:
    """
    Return the entity id of Feast's entity key.

    Args:
        entity_key: Join keys in any order; Feast sorts them by name.
        join_keys: The join keys in declared order.
    """
    by_name = dict(zip(entity_key.join_keys, entity_key.entity_values, strict=True))
    return entity_id([_scalar_text(by_name[join_key]) for join_key in join_keys])


def arrow_values(protos: Iterable[Value], feature_type: FeatureType) -> pa.Array:
    """Return values as a column of the feature type's Arrow type; an empty value is null."""
    return pa.array([_plain(proto, feature_type) for proto in protos], VALUE_TYPES[feature_type])


def proto_value(text: bytes, feature_type: FeatureType) -> Value:
    """Return the value of a JSON text."""
    match feature_type:
        case FeatureType.FLOAT:
            return Value(double_val=float(text))
        case FeatureType.STRING:
            return Value(string_val=json.loads(text))
        case FeatureType.VECTOR:
            return Value(float_list_val=FloatList(val=json.loads(text)))
        case FeatureType.MAP:
            items = {name: Value(double_val=number) for name, number in json.loads(text).items()}
            return Value(map_val=Map(val=items))


def _scalar_text(proto: Value) -> str:
    return str(getattr(proto, proto.WhichOneof("val") or "string_val"))


Plain = float | str | list[float] | list[tuple[str, float]] | None


def _plain(proto: Value, feature_type: FeatureType) -> Plain:
    kind = proto.WhichOneof("val")
    if kind is None:
        return None
    value = getattr(proto, kind)
    match feature_type:
        case FeatureType.FLOAT | FeatureType.STRING:
            return value  # type: ignore[no-any-return]  # protobuf is untyped here
        case FeatureType.VECTOR:
            return list(value.val)
        case FeatureType.MAP:
            return [
                (name, float(getattr(item, item.WhichOneof("val") or "double_val")))
                for name, item in value.val.items()
            ]
