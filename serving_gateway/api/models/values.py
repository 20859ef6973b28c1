"""What values are asked for, and answered with."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, StrictBool

from serving_gateway.api.models.fields import (
    Component,
    EntityId,
    FeatureName,
    ServedFrom,
    Value,
    Version,
)
from transformations.embedding import VECTOR_LENGTH


class BatchRequest(BaseModel):
    """Every feature for every entity."""

    model_config = ConfigDict(extra="forbid")

    # One wrong id is told, not each: a million of them would stall all other requests.
    entity_ids: Annotated[list[EntityId], FailFast()] = Field(
        min_length=1,
        description="Ids of entities. That of a composite entity joins its parts, in declared "
        "order, with ':'; within them '%' is written '%25' and ':' '%3A'.",
    )
    feature_names: Annotated[list[FeatureName], FailFast()] = Field(
        min_length=1, description="Names of features."
    )
    version: Version | None = Field(
        default=None,
        description="Version of all features: exact (`1.0.0`), the newest of the same MAJOR "
        "(`^1`) or MINOR (`~1.2`), or `latest`. Without it, experiments and pinned versions "
        "decide.",
    )
    versions: dict[FeatureName, Version] = Field(
        default_factory=dict,
        max_length=1_000,
        description="Versions of single features, before `version`.",
    )
    user_id: EntityId | None = Field(
        default=None, description="Whose experiments apply.", examples=["user_456"]
    )
    metadata: StrictBool = Field(
        default=False, description="Whether to tell of each value where it comes from."
    )


class ServiceRequest(BaseModel):
    """Every feature of a feature service, for the products that are to be ranked."""

    model_config = ConfigDict(extra="forbid")

    product_ids: Annotated[list[EntityId], FailFast()] = Field(
        min_length=1, description="The candidates; one row of the answer each."
    )
    user_id: EntityId | None = Field(
        default=None, description="Whose features, and whose experiments; without it, defaults."
    )
    query: EntityId | None = Field(
        default=None, description="What was searched for; without it, scores of search are 0."
    )
    query_embedding: list[Component] | None = Field(
        default=None,
        min_length=VECTOR_LENGTH,
        max_length=VECTOR_LENGTH,
        description="The query as a vector, for callers who have it; spares the model.",
    )
    version: Version | None = Field(default=None, description="Version of all features.")
    versions: dict[FeatureName, Version] = Field(
        default_factory=dict,
        max_length=1_000,
        description="Versions of single features, before `version`.",
    )
    metadata: StrictBool = Field(
        default=False, description="Whether to tell of each value where it comes from."
    )


class ValueQuery(BaseModel):
    """How one value is asked for."""

    model_config = ConfigDict(extra="forbid")

    version: Version | None = Field(
        default=None,
        description="Exactly (`1.0.0`), a range (`^1`, `~1.2`) or `latest`; without it, "
        "experiments and pinned versions decide.",
        examples=["1.0.0"],
    )
    user_id: EntityId | None = Field(
        default=None, description="Whose experiments apply.", examples=["user_456"]
    )
    metadata: bool = Field(
        default=False, description="Whether to tell where the value comes from.", examples=[True]
    )


class Origin(BaseModel):
    """Where a value comes from."""

    status: Literal["PRESENT", "OUTSIDE_MAX_AGE", "NOT_FOUND"] = Field(
        description="NOT_FOUND: the value is the default; OUTSIDE_MAX_AGE: it is stale."
    )
    served_from: ServedFrom
    version: str = Field(examples=["1.0.0"])
    event_timestamp: datetime | None = Field(description="The instant that the value is about.")
    staleness_seconds: float | None = Field(description="How long ago that was.")


class BatchResponse(BaseModel):
    """The values, and where they came from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "values": {
                        "prod_123": {"popularity_score": 0.87, "product_freshness_score": 0.5},
                        "prod_456": {"popularity_score": 0.1, "product_freshness_score": None},
                    },
                    "versions": {
                        "popularity_score": "1.0.0",
                        "product_freshness_score": "1.0.0",
                    },
                    "counts": {"online": 2, "offline": 1, "default": 1},
                    "stale": 1,
                    "degraded": False,
                    "experiments": {"trending": "control"},
                }
            ]
        }
    )

    values: dict[str, dict[str, Value]] = Field(description="By entity id, then by feature name.")
    versions: dict[str, str] = Field(description="The version that was read, by feature name.")
    counts: dict[ServedFrom, int] = Field(
        description="How many values each tier served; `not_asked`: defaults, for the request does "
        "not say of which user or query."
    )
    stale: int = Field(description="How many values are older than tolerated.")
    degraded: bool = Field(description="Whether a tier could not answer, and a lower one stood in.")
    experiments: dict[str, str] = Field(
        description="The user's variant of each experiment that decided on a version."
    )
    metadata: dict[str, dict[str, Origin]] | None = Field(
        default=None, description="Of each value, in the form of `values`, if asked for."
    )


class ServiceResponse(BaseModel):
    """The rows, and where their values came from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rows": [
                        {"product_id": "prod_123", "popularity_score": 0.87},
                        {"product_id": "prod_456", "popularity_score": 0.1},
                    ],
                    "versions": {"popularity_score": "1.0.0"},
                    "counts": {"online": 1, "default": 1},
                    "stale": 0,
                    "degraded": False,
                    "experiments": {},
                }
            ]
        }
    )

    rows: list[dict[str, Value]] = Field(
        description="A row a product: `product_id`, and every feature of the service."
    )
    versions: dict[str, str] = Field(description="The version that was read, by feature name.")
    counts: dict[ServedFrom, int] = Field(
        description="How many values each tier served; `not_asked`: defaults, for the request does "
        "not say of which user or query."
    )
    stale: int = Field(description="How many values are older than tolerated.")
    degraded: bool = Field(description="Whether a tier could not answer, and a lower one stood in.")
    experiments: dict[str, str] = Field(
        description="The user's variant of each experiment that decided on a version."
    )
    metadata: list[dict[str, str | Origin]] | None = Field(
        default=None, description="Of each value, in the form of `rows`, if asked for."
    )


class ValueResponse(BaseModel):
    """One value, and where it came from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "entity_id": "prod_123",
                    "feature_name": "popularity_score",
                    "version": "1.0.0",
                    "value": 0.87,
                    "served_from": "online",
                    "stale": False,
                    "degraded": False,
                }
            ]
        }
    )

    entity_id: str = Field(examples=["prod_123"])
    feature_name: str = Field(examples=["popularity_score"])
    version: str = Field(examples=["1.0.0"])
    value: Value = Field(examples=[0.87])
    served_from: ServedFrom
    stale: bool = Field(description="Whether the value is older than tolerated.")
    degraded: bool = Field(description="Whether a tier could not answer, and a lower one stood in.")
    metadata: Origin | None = Field(default=None, description="If asked for.")
