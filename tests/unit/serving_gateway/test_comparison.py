"""How far two versions of a feature differ."""

import numpy as np
import orjson
import pytest

from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureType
from serving_gateway.comparison import PairedHistogram, are_comparable, compare, joint_range

POPULARITY = {f.version: f for f in gather_features() if f.feature_name == "popularity_score"}


@pytest.mark.parametrize(
    ("feature_type", "served", "candidate", "difference"),
    [
        (FeatureType.FLOAT, 0.5, 0.25, 0.25),
        (FeatureType.FLOAT, -1.0, 1.0, 2.0),
        (FeatureType.STRING, "low", "low", 0.0),
        (FeatureType.STRING, "low", "high", 1.0),
        (FeatureType.VECTOR, [0.0, 1.0], [1.0, 4.0], 2.0),
        (FeatureType.MAP, {"a": 1.0, "b": 0.5}, {"a": 0.5, "c": 1.0}, 2.0 / 3),
        (FeatureType.MAP, {}, {}, 0.0),
    ],
)
def test_values_of_every_type_differ_by_a_number(
    feature_type: FeatureType, served: object, candidate: object, difference: float
) -> None:
    """Of maps and vectors, the mean of their items' differences."""
    texts = ([orjson.dumps(served)], [orjson.dumps(candidate)])
    [found] = compare(feature_type, *texts).differences
    assert found == pytest.approx(difference)


def test_what_one_side_lacks_is_counted_apart() -> None:
    """It is no difference between values."""
    compared = compare(
        FeatureType.FLOAT, [b"1.0", None, b"3.0", None, b"5.0"], [b"1.5", b"2.0", None, None, b"5"]
    )
    assert compared.differences == [0.5, 0.0]
    assert (compared.served_only, compared.candidate_only) == (1, 1)
    assert compared.numbers == ([1.0, 5.0], [1.5, 5])


def test_nothing_in_common_is_no_error() -> None:
    """There is nothing to compare."""
    assert compare(FeatureType.FLOAT, [b"1.0"], [None]).differences == []


@pytest.mark.parametrize("texts", [([b'"text"'], [b"1.0"]), ([b"null"], [b"1.0"])])
def test_values_of_another_type_are_refused(texts: tuple[list[bytes], list[bytes]]) -> None:
    """Rather than compared with something they are not."""
    with pytest.raises(ValueError, match="float"):
        compare(FeatureType.FLOAT, *texts)


def test_versions_of_different_types_are_not_comparable() -> None:
    """A number against a map says nothing."""
    assert are_comparable(POPULARITY["1.0.0"], POPULARITY["1.1.0"])
    assert not are_comparable(POPULARITY["1.0.0"], POPULARITY["2.0.0"])


def test_the_index_tells_a_shift_from_chance() -> None:
    """Only once there are enough values."""
    random = np.random.default_rng(5)
    within = joint_range(POPULARITY["1.0.0"], POPULARITY["1.1.0"])
    assert within == (0.0, 1.0)
    alike, shifted = PairedHistogram(within), PairedHistogram(within)
    assert alike.stability_index() is None
    for _ in range(200):
        first, second = random.beta(2, 5, (2, 50))
        alike.add((list(first), list(second)))
        shifted.add((list(first), list(second + 0.3)))
    indices = alike.stability_index(), shifted.stability_index()
    assert indices[0] is not None
    assert indices[0] < 0.02
    assert indices[1] is not None
    assert indices[1] > 0.25
