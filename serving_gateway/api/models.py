"""The bodies of requests and answers, as the documentation under /docs shows them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, FailFast, Field, StringConstraints

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.registry.versions import SELECTOR

EntityId = Annotated[str, StringConstraints(min_length=1, max_length=1_024)]
FeatureName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Version = Annotated[str, StringConstraints(pattern=SELECTOR)]
Value = float | str | list[float] | dict[str, float] | None


class BatchRequest(BaseModel):
    """Every feature for every entity."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "entity_ids": ["prod_123", "prod_456"],
                    "feature_names": ["popularity_score", "product_freshness_score"],
                }
            ]
        },
    )

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
                    "counts": {"online": 2, "default": 2},
                    "degraded": False,
                    "experiments": {"trending": "control"},
                }
            ]
        }
    )

    values: dict[str, dict[str, Value]] = Field(description="By entity id, then by feature name.")
    versions: dict[str, str] = Field(description="The version that was read, by feature name.")
    counts: dict[str, int] = Field(description="How many values each tier served.")
    degraded: bool = Field(description="Whether a tier could not answer and defaults stand in.")
    experiments: dict[str, str] = Field(description="The user's variant of each experiment.")


class ValueResponse(BaseModel):
    """One value, and where it came from."""

    entity_id: str = Field(examples=["prod_123"])
    feature_name: str = Field(examples=["popularity_score"])
    version: str = Field(examples=["1.0.0"])
    value: Value = Field(examples=[0.87])
    served_from: str = Field(examples=["online"], description="The tier: online or default.")
    degraded: bool = Field(description="Whether a tier could not answer and a default stands in.")


class CatalogResponse(BaseModel):
    """Everything that is deployed."""

    features: list[FeatureVersion] = Field(description="Every version of every feature.")
    services: dict[str, list[str]] = Field(
        description="References of feature versions, by feature service.",
        examples=[{"search_v1": ["popularity_score==1.0.0"]}],
    )


class FeatureResponse(BaseModel):
    """One feature."""

    feature_name: str = Field(examples=["popularity_score"])
    served_version: str | None = Field(
        examples=["1.0.0"],
        description="What those get who don't ask for a version; null if none is active.",
    )
    versions: list[FeatureVersion] = Field(description="Every version, oldest first.")


class Health(BaseModel):
    """The process is alive."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """Whether values can be served, and by what."""

    ready: bool = Field(description="Whether the catalog has been read; 503 otherwise.")
    online: bool = Field(description="Whether Redis answers; without it, defaults are served.")


class Problem(BaseModel):
    """What is wrong with a request, and what to change (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Unknown feature"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["feature 'popularity' does not exist"])
    hint: str = Field(examples=["Deployed features: popularity_score."])
    errors: list[dict[str, Any]] = Field(
        default_factory=list, description="Of a malformed body, each field and what it must be."
    )
