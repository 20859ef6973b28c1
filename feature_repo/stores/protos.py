"""Feast's protobuf values as Arrow columns and JSON texts, and back."""

import json
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import FloatList, Map, Value

from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.json_values import VALUE_TYPES
from feature_repo.stores.keys import entity_id
from foundation.errors import ContractViolation


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
    """
    Return values as a column of the feature type's Arrow type; an empty value is null.

    Raises:
        ContractViolation: A number is NaN or infinite, or an item of a map is no number: JSON has
            no text for it.
    """
    values = pa.array([_plain(proto, feature_type) for proto in protos], VALUE_TYPES[feature_type])
    match feature_type:
        case FeatureType.FLOAT:
            _refuse_non_finite(values.drop_null())
        case FeatureType.VECTOR:
            _refuse_non_finite(values.flatten())
        case FeatureType.MAP:
            _refuse_non_finite(values.items)
        case FeatureType.STRING:
            pass
    return values


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


Plain = float | str | list[float] | list[tuple[str, float | None]] | None

_NUMBER_KINDS = {"double_val", "float_val", "int32_val", "int64_val"}


def _plain(proto: Value, feature_type: FeatureType) -> Plain:
    kind = proto.WhichOneof("val")
    if kind is None or kind == "null_val":
        return None
    value = getattr(proto, kind)
    match feature_type:
        case FeatureType.FLOAT | FeatureType.STRING:
            return value  # type: ignore[no-any-return]  # protobuf is untyped here
        case FeatureType.VECTOR:
            return list(value.val)
        case FeatureType.MAP:
            return [(name, _number(item)) for name, item in value.val.items()]


def _number(proto: Value) -> float | None:
    kind = proto.WhichOneof("val")
    return float(getattr(proto, kind)) if kind in _NUMBER_KINDS else None


def _refuse_non_finite(numbers: pa.Array) -> None:
    if numbers.null_count or not pc.all(pc.is_finite(numbers), min_count=0).as_py():
        raise ContractViolation(
            "a value to store in Redis has a number that is NaN or infinite, or a map's item that "
            "is no number",
            hint="JSON can't hold it: correct the value, or leave it out.",
        )
