"""Values survive their JSON text, and one value has one text."""

import json
import struct
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.json_values import VALUE_TYPES, decode, encode

finite = st.floats(allow_nan=False, allow_infinity=False)
single = st.floats(allow_nan=False, allow_infinity=False, width=32)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values_by_type = {
    FeatureType.FLOAT: finite,
    FeatureType.STRING: texts,
    FeatureType.VECTOR: st.lists(single, max_size=5),
    FeatureType.MAP: st.dictionaries(texts, finite, max_size=5).map(lambda d: list(d.items())),
}
columns = st.sampled_from(FeatureType).flatmap(
    lambda kind: st.tuples(
        st.just(kind), st.lists(st.none() | values_by_type[kind], min_size=1, max_size=6)
    )
)


@given(column=columns, start=st.integers(0, 5), length=st.integers(0, 5))
def test_values_come_back_exactly(
    column: tuple[FeatureType, list[object]], start: int, length: int
) -> None:
    """Decoding undoes encoding, for slices of columns too; map keys come ordered by bytes."""
    kind, values = column
    array = pa.array(values, VALUE_TYPES[kind]).slice(start, length)
    encoded = encode(array, kind)
    decoded = decode(encoded, kind)
    if kind is FeatureType.MAP:
        expected = [
            None if value is None else sorted(value, key=lambda item: item[0].encode())
            for value in array.to_pylist()
        ]
        assert decoded.to_pylist() == expected
    else:
        assert decoded.equals(array)
    for text in encoded.to_pylist():
        assert text is None or json.loads(text) is not None


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (FeatureType.FLOAT, "0.5", 0.5),
        (FeatureType.STRING, '"null"', "null"),
        (FeatureType.VECTOR, "[0.5]", [0.5]),
        (FeatureType.VECTOR, "[]", []),
        (FeatureType.MAP, '{"null": 0.5}', [("null", 0.5)]),
    ],
)
def test_what_is_null_in_json_is_null(kind: FeatureType, text: str, value: object) -> None:
    """Beside other values, and alone."""
    assert decode(pa.array(["null", text, None]), kind).to_pylist() == [None, value, None]
    assert decode(pa.array(["null"]), kind).to_pylist() == [None]


@given(entries=st.dictionaries(texts, finite, max_size=6), random=st.randoms())
def test_the_order_of_a_map_does_not_show(entries: dict[str, float], random: Random) -> None:
    """Two maps of the same entries have the same text."""
    items = list(entries.items())
    shuffled = items.copy()
    random.shuffle(shuffled)
    array = pa.array([items, shuffled], VALUE_TYPES[FeatureType.MAP])
    one, other = encode(array, FeatureType.MAP).to_pylist()
    assert one == other


@pytest.mark.parametrize("number", [0.1, 1e-7, 1e22, 5e-324, 0.30000000000000004, -0.0])
def test_numbers_are_short_and_exact(number: float) -> None:
    """The text reads back to the very same bits, and is no longer than Python's own."""
    [text] = encode(pa.array([number]), FeatureType.FLOAT).to_pylist()
    assert struct.pack("d", float(text)) == struct.pack("d", number)
    assert len(text) <= len(repr(number))


@given(vectors=st.lists(st.none() | st.lists(single, max_size=5)))
def test_vectors_are_read_as_postgresql_writes_them(vectors: list[list[float] | None]) -> None:
    """With blanks after commas, and never with an exponent."""
    written = [
        None if vector is None else "[" + ", ".join(f"{item:.60f}" for item in vector) + "]"
        for vector in vectors
    ]
    decoded = decode(pa.array(written, pa.string()), FeatureType.VECTOR)
    assert decoded.equals(pa.array(vectors, VALUE_TYPES[FeatureType.VECTOR]))
