"""A spliced answer is the answer that decoding and encoding would give."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.keys import entity_id, escape, redis_keys
from foundation.errors import ContractViolation
from serving_gateway.answers import EntityAnswer, RowAnswer, row_column
from serving_gateway.columns import Column, Found, canonical_ids
from serving_gateway.reading import Reading

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FEATURES = [feature for feature in gather_features() if len(feature.join_keys) == 1]
PAIR = FEATURES[0].model_copy(
    update={"feature_name": "pair_score", "join_keys": ("user_id", "product_id")}
)
OF_PRODUCT = next(feature for feature in FEATURES if feature.join_keys == ("product_id",))
OF_USER = next(feature for feature in FEATURES if feature.join_keys == ("user_id",))
# Rich in what JSON, %-formatting and keys treat specially.
ids = st.text(
    st.sampled_from(list('"\\%:{}b\n')) | st.characters(exclude_categories=["Cs"]),
    min_size=1,
    max_size=6,
)
values = st.recursive(
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | ids,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ids, inner, max_size=3),
    max_leaves=4,
)
several_ids = st.lists(ids, min_size=1, max_size=5, unique=True)


def _reading(columns: Sequence[Column], found: Sequence[Sequence[object]]) -> Reading:
    reading = Reading.of(columns)
    for collected, column_values in zip(reading.columns, found, strict=True):
        collected.take("online", Found([orjson.dumps(v) for v in column_values]), now=NOW)
    return reading


@given(entity_ids=several_ids, count=st.integers(1, len(FEATURES)), data=st.data())
def test_spliced_json_is_the_naive_json(
    entity_ids: list[str], count: int, data: st.DataObject
) -> None:
    """Whatever ids and values hold, the bytes parse to {entity_id: {feature_name: value}}."""
    features = FEATURES[:count]
    column_values = st.lists(values, min_size=len(entity_ids), max_size=len(entity_ids))
    drawn = [data.draw(column_values) for _ in features]
    columns = [Column(feature, canonical_ids(feature, entity_ids)) for feature in features]
    answer = EntityAnswer(_reading(columns, drawn), NOW, entity_ids)
    naive: dict[str, dict[str, Any]] = {entity: {} for entity in entity_ids}
    for feature, column in zip(features, drawn, strict=True):
        for entity, value in zip(entity_ids, column, strict=True):
            naive[entity][feature.feature_name] = value
    assert json.loads(answer.values()) == naive


@given(product_ids=several_ids, user_id=ids, data=st.data())
def test_rows_repeat_what_is_the_users(
    product_ids: list[str], user_id: str, data: st.DataObject
) -> None:
    """A row a product, with values of the product, of the user, and of both."""
    features = [OF_PRODUCT, OF_USER, PAIR]
    escaped, constants = list(map(escape, product_ids)), {"user_id": escape(user_id)}
    columns = [row_column(feature, escaped, constants, None) for feature in features]
    assert columns[1].entity_ids == [entity_id([user_id])]
    assert columns[2].entity_ids == [entity_id([user_id, product]) for product in product_ids]
    drawn = [
        data.draw(st.lists(values, min_size=len(c.entity_ids), max_size=len(c.entity_ids)))
        for c in columns
    ]
    answer = RowAnswer(_reading(columns, drawn), NOW, product_ids)
    assert json.loads(answer.rows()) == [
        {
            "product_id": product,
            OF_PRODUCT.feature_name: drawn[0][row],
            OF_USER.feature_name: drawn[1][0],
            PAIR.feature_name: drawn[2][row],
        }
        for row, product in enumerate(product_ids)
    ]


@given(entity_ids=several_ids, feature=st.sampled_from(FEATURES))
def test_keys_are_those_of_the_stores(entity_ids: list[str], feature: FeatureVersion) -> None:
    """Row by row, the key of an entity's feature."""
    column = Column(feature, canonical_ids(feature, entity_ids))
    assert column.keys().spelt_out() == [
        key
        for entity in entity_ids
        for key in redis_keys(feature.feature_name, feature.version, [entity_id([entity])])
    ]


@given(parts=st.lists(ids, min_size=1, max_size=4))
def test_composite_ids_need_all_their_parts(parts: list[str]) -> None:
    """Two escaped parts are a pair's id; any other number is refused."""
    written = entity_id(parts)
    if len(parts) == 2:
        assert canonical_ids(PAIR, [written]) == [written]
    else:
        with pytest.raises(ContractViolation, match="2 parts of pair_score"):
            canonical_ids(PAIR, [written])
