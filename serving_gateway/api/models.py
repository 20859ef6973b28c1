"""The bodies of requests and answers, as the documentation under /docs shows them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    StrictBool,
    StringConstraints,
)

from feature_repo.registry.lineage_graph import NodeKind
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.versions import EXACT, SELECTOR
from serving_gateway.api.examples import FEATURE
from transformations.embedding import VECTOR_LENGTH

EntityId = Annotated[str, StringConstraints(min_length=1, max_length=1_024)]
FeatureName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Version = Annotated[str, StringConstraints(pattern=SELECTOR)]
ExactVersion = Annotated[str, StringConstraints(pattern=EXACT)]
# Of an embedding. Computations are done in 32 bits, which squares of larger ones might not fit.
Component = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
ServedFrom = Literal["online", "offline", "on_demand", "default", "not_asked"]
Value = float | str | list[float] | dict[str, float] | None


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


class ComputationRun(BaseModel):
    """How a computation of a feature version went."""

    status: str = Field(examples=["succeeded"])
    started_at: AwareDatetime
    finished_at: AwareDatetime | None
    as_of: AwareDatetime = Field(description="What instant it was about.")
    watermarks: dict[str, AwareDatetime | None] = Field(
        description="By source table, the instant of the newest row that it read.",
        examples=[{"events": "2026-11-23T11:59:58Z"}],
    )
    row_count: int | None = Field(description="Values computed.", examples=[92331])
    error: str | None
    failed_checks: list[str] = Field(
        description="Quality checks that failed.", examples=[["freshness of events"]]
    )


class LineageNode(BaseModel):
    """A source table, a feature version or a feature service."""

    name: str = Field(examples=["popularity_score==1.0.0"])
    kind: NodeKind
    runs: list[ComputationRun] | None = Field(
        default=None,
        description="Of a feature version, the last few, newest first; null of anything else, and "
        "if PostgreSQL could not be asked.",
    )


class LineageEdge(BaseModel):
    """What one node takes from another."""

    source: str = Field(examples=["events"])
    target: str = Field(examples=["popularity_score==1.0.0"])
    columns: list[str] = Field(
        description="Of a source table, those that are read; none where nobody knows which.",
        examples=[["event_timestamp", "event_type", "product_id"]],
    )


class LineageResponse(BaseModel):
    """What is made from what, each node after those that it is made from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "nodes": [
                        {"name": "products", "kind": "table"},
                        {"name": "product_freshness_score==1.0.0", "kind": "feature"},
                    ],
                    "edges": [
                        {
                            "source": "products",
                            "target": "product_freshness_score==1.0.0",
                            "columns": ["created_at", "product_id"],
                        }
                    ],
                }
            ]
        }
    )

    nodes: list[LineageNode]
    edges: list[LineageEdge]


class Affected(BaseModel):
    """Something that a change reaches."""

    name: str = Field(examples=["ranking_v1"])
    kind: NodeKind
    owner: str | None = Field(description="Whose it is.", examples=["ranking"])


class ImpactResponse(BaseModel):
    """What a change reaches, directly or not."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "affected": [
                        {"name": "popularity_score==1.0.0", "kind": "feature", "owner": "ranking"}
                    ]
                }
            ]
        }
    )

    affected: list[Affected]


class Health(BaseModel):
    """The process is alive."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """Whether values can be served, and by what."""

    ready: bool = Field(
        examples=[True],
        description="Whether the catalog and the API keys have been read, and the gateway is not "
        "about to stop; 503 otherwise.",
    )
    online: bool = Field(
        examples=[True], description="Whether Redis answers; without it, PostgreSQL does."
    )


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str = Field(examples=["entity_ids.0"])
    message: str = Field(examples=["Input should be a valid string"])


class Problem(BaseModel):
    """What is wrong with a request, and what to change (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Unknown feature"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["feature 'popularity' does not exist"])
    hint: str = Field(examples=["Deployed features: popularity_score."])
    errors: list[FieldError] = Field(
        default_factory=list, description="Of a malformed body, the first wrong fields."
    )
