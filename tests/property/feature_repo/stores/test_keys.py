"""No id can imitate another key, whatever it contains."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.stores.keys import entity_id, entity_ids, key_columns, key_values, redis_keys

# Rich in what could confuse: separators, escapes, and what looks like a version.
parts = st.text(
    st.sampled_from(list(":%v1.0 3A25é")) | st.characters(exclude_categories=["Cs"]), max_size=8
)
several = st.lists(parts, min_size=1, max_size=3)


@given(one=several, other=several)
def test_different_entities_have_different_keys(one: list[str], other: list[str]) -> None:
    """Two keys are equal only if all join key values are."""
    first, second = redis_keys("f", "1.0.0", [entity_id(one), entity_id(other)])
    assert (first == second) == (one == other)


@given(values=several)
def test_keys_can_be_read_back(values: list[str]) -> None:
    """An entity id gives the join key values that it was made of."""
    assert key_values(entity_id(values)) == values


@given(identifier=parts, other=parts)
def test_no_id_imitates_another_version(identifier: str, other: str) -> None:
    """Keys of two versions of a feature are never equal."""
    one = redis_keys("f", "1.0.0", [entity_id([identifier])])
    assert one != redis_keys("f", "1.0.1", [entity_id([other])])


@given(rows=st.lists(st.tuples(parts, parts), max_size=10))
def test_columns_are_encoded_like_single_ids(rows: list[tuple[str, str]]) -> None:
    """Encoding a column at a time gives the same ids."""
    columns = [pa.array([row[position] for row in rows], pa.string()) for position in (0, 1)]
    assert entity_ids(columns).to_pylist() == [entity_id(row) for row in rows]
    assert entity_ids(columns[:1]).to_pylist() == [entity_id(row[:1]) for row in rows]


@given(rows=st.lists(st.tuples(parts, parts), max_size=10))
def test_columns_can_be_read_back(rows: list[tuple[str, str]]) -> None:
    """A column of entity ids gives the columns of keys that it was made of."""
    ids = pa.chunked_array([[entity_id(row) for row in rows]], pa.string())
    columns = [column.to_pylist() for column in key_columns(ids, 2)]
    assert list(zip(*columns, strict=True)) == rows
