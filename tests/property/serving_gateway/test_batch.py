"""A spliced answer is the answer that decoding and encoding would give."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.registry.gather import gather_features
from feature_repo.stores.keys import entity_id, redis_keys
from foundation.errors import ContractViolation
from serving_gateway.batch import Batch

FEATURES = [feature for feature in gather_features() if len(feature.join_keys) == 1]
PAIR = FEATURES[0].model_copy(
    update={"feature_name": "pair_score", "join_keys": ("user_id", "product_id")}
)
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
requests = st.tuples(
    st.lists(ids, min_size=1, max_size=5, unique=True),
    st.integers(1, len(FEATURES)).map(lambda count: FEATURES[:count]),
)


@given(request=requests, data=st.data())
def test_spliced_json_is_the_naive_json(
    request: tuple[list[str], list[object]], data: st.DataObject
) -> None:
    """Whatever ids and values hold, the bytes parse to {entity_id: {feature_name: value}}."""
    entity_ids, features = request
    batch = Batch(features=FEATURES[: len(features)], entity_ids=entity_ids)
    given_values = data.draw(st.lists(values, min_size=batch.size, max_size=batch.size))
    spliced = batch.spliced([orjson.dumps(value) for value in given_values])
    width = len(features)
    assert json.loads(spliced) == {
        entity: {
            feature.feature_name: given_values[row * width + column]
            for column, feature in enumerate(batch.features)
        }
        for row, entity in enumerate(entity_ids)
    }


@given(request=requests)
def test_keys_are_those_of_the_stores(request: tuple[list[str], list[object]]) -> None:
    """Position by position, the key of an entity's feature."""
    entity_ids, features = request
    batch = Batch(features=FEATURES[: len(features)], entity_ids=entity_ids)
    assert batch.keys() == [
        key
        for entity in entity_ids
        for feature in batch.features
        for key in redis_keys(feature.feature_name, feature.version, [entity_id([entity])])
    ]


@given(parts=st.lists(ids, min_size=1, max_size=4))
def test_composite_ids_need_all_their_parts(parts: list[str]) -> None:
    """Two escaped parts are a pair's id; any other number is refused."""
    batch = Batch(features=[PAIR], entity_ids=[entity_id(parts)])
    if len(parts) == 2:
        assert batch.keys() == redis_keys("pair_score", PAIR.version, [entity_id(parts)])
    else:
        with pytest.raises(ContractViolation, match="2 parts of pair_score"):
            batch.keys()
