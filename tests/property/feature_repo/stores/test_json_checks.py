"""No text passes for a value that is none, whatever it is read with."""

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.json_checks import are_floats, unsound_rows
from tests.integration.feature_repo.stores.conftest import make_feature

FEATURES = {
    kind: make_feature("feature", kind, vector_length=2 if kind is FeatureType.VECTOR else None)
    for kind in FeatureType
}
SOUND = {
    FeatureType.FLOAT: [b"0.5", b"-1", b"2e-3"],
    FeatureType.STRING: [b'"a"', b'"[,"', b'""'],
    FeatureType.VECTOR: [b"[1.0,2]", b"[0.5, -1]"],
    FeatureType.MAP: [b"{}", b'{"a":1,"b":0.5}'],
}
# What JSON is made of, and what is none.
pieces = st.lists(
    st.sampled_from(
        [
            *(b"1", b"0.5", b"1e999", b"NaN", b"true", b"null", b" ", b"\n", b"\xff", b"\xc3"),
            *(b",", b":", b"[", b"]", b"{", b"}", b'"', b'"a"', b'"a', b'a"', b"\\"),
        ]
    ),
    max_size=5,
).map(b"".join)
columns = st.sampled_from(FeatureType).flatmap(
    lambda kind: st.tuples(
        st.just(kind), st.lists(st.none() | st.sampled_from(SOUND[kind]) | pieces, max_size=5)
    )
)


@example((FeatureType.FLOAT, [b"1,[2", b"3]"]))
@example((FeatureType.FLOAT, [b"1,2", b"", b"3"]))
@example((FeatureType.FLOAT, [b"1]", b"[2"]))
@example((FeatureType.STRING, [b'"a', b'b"', b'"c","d"']))
@example((FeatureType.VECTOR, [b"[1,2],[3", b"4]"]))
@example((FeatureType.MAP, [b'{"a":1},{"b":2', b'"c":3}']))
@given(columns)
def test_a_text_is_judged_by_itself(column: tuple[FeatureType, list[bytes | None]]) -> None:
    """However texts add up to what looks like as many values."""
    kind, texts = column
    expected = [
        row for row, text in enumerate(texts) if text is not None and not _is_value(kind, text)
    ]
    assert unsound_rows(FEATURES[kind], texts) == expected
    if kind is FeatureType.FLOAT:
        assert are_floats(texts) == (not expected)


@pytest.mark.parametrize("kind", FeatureType)
def test_what_stores_hold_is_sound(kind: FeatureType) -> None:
    """Values as they are written, and as PostgreSQL spells them."""
    assert unsound_rows(FEATURES[kind], [*SOUND[kind], None]) == []


@pytest.mark.parametrize("text", [b"[1]", b"[1,2,3]", b'[1,"2"]', b"[1,null]", b"[1,[2]]"])
def test_a_vector_has_its_length_and_numbers_only(text: bytes) -> None:
    """A shorter one would break whoever computes with it."""
    assert unsound_rows(FEATURES[FeatureType.VECTOR], [b"[1,2]", text]) == [1]


def _is_value(kind: FeatureType, text: bytes) -> bool:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    match kind:
        case FeatureType.FLOAT:
            return type(value) in {int, float}
        case FeatureType.STRING:
            return isinstance(value, str)
        case FeatureType.VECTOR:
            return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
        case FeatureType.MAP:
            return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_number(value: Any) -> bool:  # noqa: ANN401 - whatever JSON may hold
    return isinstance(value, int | float)  # true among numbers passes for 1
