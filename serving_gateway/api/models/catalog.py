"""What is deployed."""

from pydantic import BaseModel, ConfigDict, Field

from feature_repo.registry.metadata import FeatureVersion, Status
from serving_gateway.api.examples import FEATURE


class CatalogQuery(BaseModel):
    """What somebody is looking for; all must fit."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(
        default=None,
        max_length=256,
        description="Words of the name or the description.",
        examples=["popularity"],
    )
    owner: str | None = Field(
        default=None, max_length=256, description="Whose.", examples=["ranking"]
    )
    entity: str | None = Field(
        default=None, max_length=256, description="Of what.", examples=["product"]
    )
    source: str | None = Field(
        default=None,
        max_length=256,
        description="A table or a feature version that they are made from.",
        examples=["events"],
    )
    status: Status | None = Field(
        default=None, description="Where in their life.", examples=["active"]
    )
    tag: str | None = Field(
        default=None, max_length=256, description="One of their tags.", examples=["beta"]
    )


class CatalogResponse(BaseModel):
    """Everything that is deployed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"features": [FEATURE], "services": {"search_v1": ["popularity_score==1.0.0"]}}
            ]
        }
    )

    features: list[FeatureVersion] = Field(description="Every version of every feature.")
    services: dict[str, list[str]] = Field(
        description="References of feature versions, by feature service."
    )


class FeatureResponse(BaseModel):
    """One feature."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "feature_name": "popularity_score",
                    "served_version": "1.0.0",
                    "versions": [FEATURE],
                }
            ]
        }
    )

    feature_name: str
    served_version: str | None = Field(
        description="What those get who don't ask for a version; null if none is active.",
    )
    versions: list[FeatureVersion] = Field(description="Every version, oldest first.")
