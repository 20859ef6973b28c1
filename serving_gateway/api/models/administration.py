"""Changes."""

from pydantic import BaseModel, ConfigDict, Field

from serving_gateway.api.models.fields import EntityId, ExactVersion, FeatureName


class InvalidationRequest(BaseModel):
    """Which values to remove; what is said is combined."""

    model_config = ConfigDict(extra="forbid")

    feature_name: FeatureName | None = Field(
        default=None, description="Of this feature; without it, of all."
    )
    version: ExactVersion | None = Field(
        default=None, description="Of this version of it; without it, of all.", examples=["1.0.0"]
    )
    entity_ids: list[EntityId] | None = Field(
        default=None,
        min_length=1,
        description="Of these entities, as many as a read may have; without it, of all, from Redis "
        "only, which takes a while.",
    )


class InvalidationResponse(BaseModel):
    """What has been removed."""

    removed: int = Field(examples=[120], description="Number of values removed from Redis.")
    removed_offline: int = Field(
        examples=[12],
        description="Number of values removed from PostgreSQL, of features that are computed for "
        "requests.",
    )
