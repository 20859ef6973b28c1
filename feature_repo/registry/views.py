"""
Feature versions as Feast objects, and back.

A version is one feature view whose only field is the feature; its metadata are the view's tags,
each field as JSON, so that Feast's registry alone can rebuild the whole `FeatureVersion`.
"""

import json
from collections.abc import Iterable

from feast import FeatureService, FeatureView, Field, PushSource
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    PostgreSQLSource,
)
from feast.types import Array, FeastType, Float32, Float64, Map, String

from feature_repo.entities import FEATURE_ENTITIES
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.services import ServiceDefinition
from feature_repo.stores.sql import feature_view_query

_FINGERPRINT = "computation_fingerprint"
_FEAST_TYPES: dict[FeatureType, FeastType] = {
    FeatureType.FLOAT: Float64,
    FeatureType.STRING: String,
    FeatureType.VECTOR: Array(Float32),
    FeatureType.MAP: Map,
}


def feature_view(feature: FeatureVersion, *, fingerprint: str | None = None) -> FeatureView:
    """
    Return the feature view of a feature version.

    Args:
        feature: The version.
        fingerprint: Digest of its computation; None: nobody compares it.
    """
    tags = {
        **feature.model_dump(mode="json"),
        **({_FINGERPRINT: fingerprint} if fingerprint else {}),
    }
    return FeatureView(
        name=feature.view_name,
        entities=list(FEATURE_ENTITIES[feature.entity]),
        schema=[Field(name=feature.feature_name, dtype=_FEAST_TYPES[feature.feature_type])],
        source=PushSource(
            name=f"{feature.view_name}_push",
            batch_source=PostgreSQLSource(
                name=feature.view_name,
                query=feature_view_query(feature),
                timestamp_field="event_timestamp",
                created_timestamp_column="created_at",
            ),
        ),
        ttl=feature.look_back,
        online="redis" in feature.serving_location,
        description=feature.description,
        owner=feature.owner,
        tags={name: json.dumps(value, sort_keys=True) for name, value in tags.items()},
    )


def feature_version(view: FeatureView) -> FeatureVersion:
    """
    Return the feature version that a feature view was made from.

    Raises:
        pydantic.ValidationError: The view's tags are not those of `feature_view`.
    """
    tags = {name: json.loads(value) for name, value in view.tags.items() if name != _FINGERPRINT}
    return FeatureVersion.model_validate_json(json.dumps(tags))


def fingerprint_of(view: FeatureView) -> str:
    """Return the digest of the computation that a feature view was made with; "" if it has none."""
    fingerprint: str = json.loads(view.tags.get(_FINGERPRINT, '""'))
    return fingerprint


def feature_service(
    definition: ServiceDefinition, views: Iterable[tuple[FeatureVersion, FeatureView]]
) -> FeatureService:
    """Return the Feast feature service of a definition, over the views of its versions."""
    by_reference = {feature.reference: view for feature, view in views}
    return FeatureService(
        name=definition.name,
        description=definition.description,
        owner=definition.owner,
        features=[by_reference[reference] for reference in definition.features],
    )
