"""
Feature versions as Feast objects, and back.

A version is one feature view whose only field is the feature; its metadata are the view's tags,
each field as JSON, so that Feast's registry alone can rebuild the whole `FeatureVersion`.
"""

import json
from collections.abc import Iterable
from typing import Any

from feast import FeatureService, FeatureView, Field, PushSource
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    PostgreSQLSource,
)
from feast.types import Array, FeastType, Float32, Float64, Map, String
from pydantic import ValidationError

from feature_repo.entities import FEATURE_ENTITIES
from feature_repo.registry.metadata import (
    UNKNOWN_COMPUTATION,
    ComputationFacts,
    FeatureType,
    FeatureVersion,
)
from feature_repo.registry.validation import problems
from feature_repo.services import ServiceDefinition
from feature_repo.stores.sql import feature_view_query
from foundation.errors import DefinitionError

# Tags that are no metadata of the version itself.
_FINGERPRINT = "computation_fingerprint"
_COLUMNS = "columns_read"
_TABLES = "source_columns"
_FEAST_TYPES: dict[FeatureType, FeastType] = {
    FeatureType.FLOAT: Float64,
    FeatureType.STRING: String,
    FeatureType.VECTOR: Array(Float32),
    FeatureType.MAP: Map,
}


def feature_view(
    feature: FeatureVersion, computation: ComputationFacts = UNKNOWN_COMPUTATION
) -> FeatureView:
    """Return the feature view of a feature version."""
    facts = {
        _FINGERPRINT: computation.fingerprint,
        _COLUMNS: computation.columns,
        _TABLES: computation.tables,
    }
    tags = {
        **feature.model_dump(mode="json"),
        **{name: fact for name, fact in facts.items() if fact},
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

    Fields that are not known here are left out: a later release may have applied it.

    Raises:
        DefinitionError: The view's tags are not those of `feature_view`.
    """
    try:
        return FeatureVersion.model_validate_json(json.dumps(_decoded(view)), extra="ignore")
    except ValidationError as error:
        raise _foreign(view, ", ".join(problems(error))) from None


def computation_facts(view: FeatureView) -> ComputationFacts:
    """
    Return what a feature view was made with.

    Raises:
        DefinitionError: The view's tags are not those of `feature_view`.
    """
    tags = _decoded(view)
    return ComputationFacts(
        fingerprint=tags.get(_FINGERPRINT, ""),
        columns=tags.get(_COLUMNS, {}),
        tables=tags.get(_TABLES, {}),
    )


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


def _decoded(view: FeatureView) -> dict[str, Any]:
    try:
        return {name: json.loads(value) for name, value in view.tags.items()}
    except ValueError as error:
        raise _foreign(view, f"a tag is no JSON: {error}") from None


def _foreign(view: FeatureView, problem: str) -> DefinitionError:
    return DefinitionError(
        f"feature view {view.name!r} is not a feature version of this repository: {problem}",
        hint="Define it in feature_repo/features, and run `make apply`.",
    )
