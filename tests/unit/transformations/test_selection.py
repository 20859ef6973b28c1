"""What users type for features and instants."""

from datetime import UTC, datetime, timedelta

import pytest

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import FeatureVersion, Status
from foundation.errors import ConfigurationError, UnknownFeature, UnknownVersion
from foundation.instants import parse_instant
from tests.unit.feature_repo.registry.test_metadata import COMPLETE
from transformations.selection import select_jobs

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def _feature(feature_name: str, version: str, status: Status, *depends: str) -> FeatureVersion:
    changes = {
        "feature_name": feature_name,
        "version": version,
        "status": status,
        "dependencies": depends,
        "deprecated_at": COMPLETE["updated_at"] if status is Status.DEPRECATED else None,
    }
    return FeatureVersion.model_validate({**COMPLETE, **changes})


CATALOG = Catalog(
    features=[
        _feature("a", "1.0.0", Status.DEPRECATED, "b==1.0.0"),
        _feature("a", "1.1.0", Status.ACTIVE, "b==1.0.0"),
        _feature("a", "2.0.0", Status.STAGED),
        _feature("b", "1.0.0", Status.ACTIVE),
        _feature("d", "1.0.0", Status.STAGED),
        _feature("f", "1.0.0", Status.STAGED).model_copy(update={"job": "both"}),
        _feature("e", "1.0.0", Status.ACTIVE).model_copy(update={"computation_frequency": None}),
    ],
    services={},
)


@pytest.mark.parametrize(
    ("names", "every", "expected"),
    [
        (["b"], False, ["b==1.0.0"]),
        (["a"], False, ["a==1.0.0", "a==1.1.0"]),
        (["a==2.0.0"], False, ["a==2.0.0"]),
        (["a==1.1.0", "b"], False, ["b==1.0.0", "a==1.1.0"]),
        (["both==1.0.0"], False, ["both==1.0.0"]),
        ([], True, ["b==1.0.0", "a==1.0.0", "a==1.1.0"]),
    ],
)
def test_names_mean_live_versions_in_order_of_dependency(
    names: list[str], *, every: bool, expected: list[str]
) -> None:
    """
    A name means all live versions, a reference or a job's name one of any status.

    Dependencies come first.
    """
    selected = select_jobs(CATALOG, names, every=every)
    assert [job.name for job in selected] == expected


@pytest.mark.parametrize(
    ("names", "every", "error"),
    [
        ([], False, ConfigurationError),
        (["a"], True, ConfigurationError),
        (["c"], False, UnknownFeature),
        (["a==9.9.9"], False, UnknownVersion),
        (["d"], False, ConfigurationError),
        (["e"], False, ConfigurationError),
    ],
)
def test_what_does_not_exist_is_refused(
    names: list[str], *, every: bool, error: type[Exception]
) -> None:
    """Neither names nor --all, both, unknown ones, or ones that no job computes."""
    with pytest.raises(error):
        select_jobs(CATALOG, names, every=every)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ("2026-01-02T03:04+02:00", datetime(2026, 1, 2, 1, 4, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)
def test_instants_are_utc_unless_they_say_otherwise(text: str, expected: datetime) -> None:
    """ISO 8601, with or without an offset."""
    assert parse_instant(text, option="--as-of", now=NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", (NOW + timedelta(days=1)).isoformat()])
def test_other_instants_are_refused(text: str) -> None:
    """Neither words nor the future."""
    with pytest.raises(ConfigurationError, match="--as-of"):
        parse_instant(text, option="--as-of", now=NOW)
