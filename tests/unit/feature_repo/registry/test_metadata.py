"""A feature version says everything the registry needs, or is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

COMPLETE: dict[str, Any] = {
    "feature_name": "dwell_time",
    "version": "1.0.0",
    "feature_type": FeatureType.FLOAT,
    "description": "Seconds that users stay on a product's page.",
    "entity": "product",
    "join_keys": ("product_id",),
    "computation": "dwell_time",
    "source": ("events",),
    "owner": "search",
    "status": Status.ACTIVE,
    "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
    "default": 0.0,
    "staleness_tolerance": timedelta(hours=1),
    "computation_frequency": timedelta(hours=1),
    "history_interval": timedelta(days=1),
}


def version_of_status(version: str, status: Status) -> FeatureVersion:
    """Return a feature version that differs from others in number and status alone."""
    deprecated_at = COMPLETE["updated_at"] if status is Status.DEPRECATED else None
    changes = {"version": version, "status": status, "deprecated_at": deprecated_at}
    return FeatureVersion.model_validate({**COMPLETE, **changes})


def test_complete_metadata_are_accepted() -> None:
    """Names derived from a version follow from its name and number."""
    feature = FeatureVersion(**COMPLETE)
    assert feature.view_name == "dwell_time_v1_0_0"
    assert feature.reference == "dwell_time==1.0.0"
    assert feature.look_back == timedelta(hours=25)


@pytest.mark.parametrize("field", sorted(set(COMPLETE)))
def test_every_field_is_required(field: str) -> None:
    """Leaving a field out is refused, and the error names it."""
    incomplete = {name: value for name, value in COMPLETE.items() if name != field}
    with pytest.raises(ValidationError) as caught:
        FeatureVersion(**incomplete)
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"feature_name": "Dwell Time"}, "feature_name"),
        ({"feature_name": "dwell__time"}, "feature_name"),
        ({"feature_name": "event_timestamp"}, "feature_name"),
        ({"version": "1.0"}, "version"),
        ({"version": "v1.0.0"}, "version"),
        ({"version": "1.0.0-beta"}, "version"),
        ({"version": "01.0.0"}, "version"),
        ({"description": "  "}, "description"),
        ({"default": "none"}, "default"),
        ({"default": {"a": 1.0}}, "default"),
        ({"staleness_tolerance": timedelta(0)}, "staleness_tolerance"),
        ({"valid_range": (1.0, 0.0)}, "valid_range"),
        ({"vector_length": 3}, "vector_length"),
        ({"feature_type": FeatureType.VECTOR, "default": None}, "vector_length"),
        (
            {"feature_type": FeatureType.VECTOR, "vector_length": 3, "default": (1.0, 2.0)},
            "default",
        ),
        ({"feature_type": FeatureType.STRING, "default": "", "valid_range": (0, 1)}, "valid_range"),
        ({"updated_at": datetime(2025, 1, 1, tzinfo=UTC)}, "updated_at"),
        ({"created_at": datetime(2026, 1, 1)}, "created_at"),  # noqa: DTZ001 - naive on purpose
        ({"serving_location": ("memcached",)}, "serving_location"),
        ({"colour": "red"}, "colour"),
        ({"status": Status.DEPRECATED}, "deprecated_at"),
        ({"deprecated_at": datetime(2026, 2, 1, tzinfo=UTC)}, "deprecated_at"),
        ({"sunset_at": datetime(2026, 2, 1, tzinfo=UTC)}, "deprecated_at"),
        (
            {
                "status": Status.DEPRECATED,
                "deprecated_at": datetime(2026, 2, 1, tzinfo=UTC),
                "sunset_at": datetime(2026, 1, 1, tzinfo=UTC),
            },
            "sunset_at",
        ),
        ({"default_values_of": "popularity_score==1.0.0"}, "default_values_of"),
        (
            {
                "feature_type": FeatureType.MAP,
                "default": {},
                "default_values_of": "popularity_score==1.0.0",
            },
            "default_values_of",
        ),
    ],
)
def test_wrong_metadata_are_refused(change: dict[str, Any], field: str) -> None:
    """The error names the field."""
    with pytest.raises(ValidationError) as caught:
        FeatureVersion(**{**COMPLETE, **change})
    assert field in str(caught.value)
