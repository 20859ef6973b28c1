"""The catalog selects versions."""

import pytest

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import Status
from foundation.errors import FeatureStoreError, UnknownFeature, UnknownVersion, VersionNotServed
from tests.unit.feature_repo.registry.test_metadata import version_of_status


def _catalog(**statuses: Status) -> Catalog:
    """Return a catalog of dwell_time in versions like v1_10_0."""
    return Catalog(
        features=[
            version_of_status(v[1:].replace("_", "."), status) for v, status in statuses.items()
        ],
        services={},
    )


def test_the_latest_active_version_is_served() -> None:
    """Versions compare as numbers; staged ones are not served unasked."""
    catalog = _catalog(
        v1_9_0=Status.ACTIVE, v1_10_0=Status.ACTIVE, v2_0_0=Status.STAGED, v1_2_0=Status.DEPRECATED
    )
    assert catalog.select("dwell_time").version == "1.10.0"


def test_an_exact_version_is_served_whatever_its_status() -> None:
    """Who asks for a staged version exactly gets it."""
    catalog = _catalog(v1_0_0=Status.ACTIVE, v2_0_0=Status.STAGED)
    assert catalog.select("dwell_time", "2.0.0").version == "2.0.0"


def test_an_unknown_feature_is_refused_with_what_exists() -> None:
    """The hint lists the deployed features."""
    with pytest.raises(UnknownFeature) as caught:
        _catalog(v1_0_0=Status.ACTIVE).select("dwell")
    assert "dwell_time" in caught.value.hint


@pytest.mark.parametrize(
    ("version", "error"), [("3.0.0", UnknownVersion), (None, VersionNotServed)]
)
def test_a_version_that_is_not_there_is_refused_with_what_exists(
    version: str | None, error: type[FeatureStoreError]
) -> None:
    """The hint lists the deployed versions."""
    with pytest.raises(error) as caught:
        _catalog(v1_0_0=Status.STAGED).select("dwell_time", version)
    assert "1.0.0 (staged)" in caught.value.hint
