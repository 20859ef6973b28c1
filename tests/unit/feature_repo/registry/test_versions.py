"""The version that is served is the newest that fits what was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.versions import select_version
from foundation.errors import ContractViolation, FeatureStoreError, UnknownVersion, VersionNotServed
from tests.unit.feature_repo.registry.test_metadata import version_of_status

S, A, D, R = Status.STAGED, Status.ACTIVE, Status.DEPRECATED, Status.RETIRED


def _versions(statuses: dict[str, Status]) -> list[FeatureVersion]:
    return [version_of_status(version, status) for version, status in statuses.items()]


DEPLOYED = _versions(
    {
        "0.1.0": A,
        "0.2.0": A,
        "1.0.0": D,
        "1.2.0": A,
        "1.2.3": A,
        "1.10.0": A,
        "1.11.0": S,
        "2.0.0": D,
        "3.0.0": S,
        "4.0.0": R,
    }
)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, "0.1.0"),
        ("latest", "1.10.0"),
        ("1.0.0", "1.0.0"),
        ("3.0.0", "3.0.0"),
        ("^1", "1.10.0"),
        ("^1.2", "1.10.0"),
        ("^1.2.1", "1.10.0"),
        ("~1.2", "1.2.3"),
        ("~1", "1.10.0"),
        ("^0.1", "0.1.0"),
        ("~0.2.0", "0.2.0"),
        ("^2", "2.0.0"),
    ],
)
def test_the_newest_that_fits_is_served(wanted: str | None, expected: str) -> None:
    """By number, not by text; active before deprecated, staged only exactly."""
    assert select_version(DEPLOYED, wanted).version == expected


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ({"1.0.0": A, "1.1.0": A, "2.0.0": A}, "1.1.0"),
        ({"1.0.0": D, "1.1.0": A, "2.0.0": A, "2.1.0": S}, "1.1.0"),
        ({"1.0.0": D, "1.1.0": D, "2.0.0": A, "2.1.0": A}, "2.1.0"),
        ({"1.0.0": R, "1.1.0": D, "2.0.0": D}, "1.1.0"),
    ],
)
def test_who_does_not_ask_is_not_moved_to_another_major(
    statuses: dict[str, Status], expected: str
) -> None:
    """Until no version of the one before is active any more."""
    assert select_version(_versions(statuses), None).version == expected


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ("1.0.1", UnknownVersion),
        ("^5", UnknownVersion),
        ("~1.3", UnknownVersion),
        ("4.0.0", VersionNotServed),
        ("^4", VersionNotServed),
        ("^3", VersionNotServed),
        ("1", ContractViolation),
        ("^1.x", ContractViolation),
        (">=1.0.0", ContractViolation),
        ("1.0.0 ", ContractViolation),
        ("1.0.0\n", ContractViolation),
        ("1.00.0", ContractViolation),
        ("~01", ContractViolation),
        ("^\u0661", ContractViolation),
        ("^" + "9" * 5_000, ContractViolation),
    ],
)
def test_what_can_not_be_served_is_refused(wanted: str, error: type[FeatureStoreError]) -> None:
    """The error tells what exists."""
    with pytest.raises(error) as caught:
        select_version(DEPLOYED, wanted)
    if error is not ContractViolation:
        assert "1.10.0 (active)" in caught.value.hint


numbers = st.integers(0, 3)


@given(
    statuses=st.dictionaries(
        st.tuples(numbers, numbers, numbers).map(lambda parts: "{}.{}.{}".format(*parts)),
        st.sampled_from(Status),
        min_size=1,
    ),
    least=st.tuples(st.integers(1, 3), numbers, numbers),
)
def test_a_caret_means_what_it_says(
    statuses: dict[str, Status], least: tuple[int, int, int]
) -> None:
    """The greatest of the same MAJOR and not below, among those that are served."""
    numbered = {tuple(map(int, version.split("."))): s for version, s in statuses.items()}
    fitting = [v for v in numbered if v[0] == least[0] and v >= least]
    served = [v for v in fitting if numbered[v] is A] or [v for v in fitting if numbered[v] is D]
    selector = "^{}.{}.{}".format(*least)
    if served:
        selected = select_version(_versions(statuses), selector)
        assert selected.parsed_version.to_tuple()[:3] == max(served)
    else:
        with pytest.raises(VersionNotServed if fitting else UnknownVersion):
            select_version(_versions(statuses), selector)
