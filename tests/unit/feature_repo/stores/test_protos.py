"""Feast's values become ours, and what JSON can't hold is refused."""

import math

import pytest
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import NULL, FloatList, Map, Value

from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.protos import arrow_values, proto_entity_id, proto_value
from foundation.errors import ContractViolation


def _map(**items: Value) -> Value:
    return Value(map_val=Map(val=items))


def test_join_keys_are_joined_in_declared_order() -> None:
    """Feast sorts them by name; numbers are written as they read."""
    key = EntityKey(
        join_keys=["product_id", "user_id"],
        entity_values=[Value(string_val="p:1"), Value(int64_val=7)],
    )
    assert proto_entity_id(key, ("user_id", "product_id")) == "7:p%3A1"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (FeatureType.FLOAT, b"0.1", 0.1),
        (FeatureType.STRING, b'"a\\"b"', 'a"b'),
        (FeatureType.VECTOR, b"[0.5,-2]", [0.5, -2.0]),
        (FeatureType.MAP, b'{"a":1,"b":0.5}', [("a", 1.0), ("b", 0.5)]),
    ],
)
def test_values_of_every_type_go_both_ways(kind: FeatureType, text: bytes, value: object) -> None:
    """From JSON text to Feast's value, and from there to Arrow's."""
    [there] = arrow_values([proto_value(text, kind)], kind).to_pylist()
    assert (sorted(there) if kind is FeatureType.MAP else there) == value


@pytest.mark.parametrize("kind", FeatureType)
@pytest.mark.parametrize("empty", [Value(), Value(null_val=NULL)], ids=["unset", "null"])
def test_empty_values_are_null(kind: FeatureType, empty: Value) -> None:
    """Feast says null in two ways."""
    assert arrow_values([empty], kind).to_pylist() == [None]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", [FeatureType.FLOAT, FeatureType.VECTOR, FeatureType.MAP])
def test_numbers_without_a_json_text_are_refused(kind: FeatureType, number: float) -> None:
    """One of them would make a whole answer of the gateway unreadable."""
    protos = {
        FeatureType.FLOAT: Value(double_val=number),
        FeatureType.VECTOR: Value(float_list_val=FloatList(val=[1.0, number])),
        FeatureType.MAP: _map(a=Value(double_val=1.0), b=Value(double_val=number)),
    }
    with pytest.raises(ContractViolation, match="NaN or infinite"):
        arrow_values([protos[kind]], kind)


@pytest.mark.parametrize(
    "item",
    [Value(), Value(null_val=NULL), Value(string_val="1")],
    ids=["unset", "null", "text"],
)
def test_items_of_a_map_are_numbers(item: Value) -> None:
    """A missing number is not zero, and a text is not a number."""
    with pytest.raises(ContractViolation, match="no number"):
        arrow_values([_map(a=item)], FeatureType.MAP)
