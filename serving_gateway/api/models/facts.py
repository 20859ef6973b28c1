"""How the versions of a feature are doing."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from feature_repo.registry.metadata import Status
from serving_gateway.api.examples import FACTS
from serving_gateway.api.models.lineage import ComputationRun


class Consumer(BaseModel):
    """Who uses a feature version."""

    model_config = ConfigDict(from_attributes=True)

    what: str = Field(examples=["feature service ranking_v1"])
    owner: str | None = Field(description="Whose it is.", examples=["ranking"])
    is_direct: bool = Field(
        description="Whether it names the version, or only something that is made from it."
    )


class Distribution(BaseModel):
    """How numbers are distributed."""

    edges: list[float] = Field(description="Ascending; deciles and frequent values.")
    shares: list[float] = Field(
        description="Of the values below the first edge, in each interval, and from the last edge "
        "on: one more than edges."
    )
    mean: float
    count: int


class Published(BaseModel):
    """The last run whose values were published."""

    as_of: AwareDatetime = Field(description="Event timestamp of its values.")
    row_count: int = Field(description="Values it computed.", examples=[92331])
    distribution: Distribution | None = Field(
        description="Null of what is no number, and of few values."
    )


class VersionFacts(BaseModel):
    """How a feature version is doing."""

    version: str = Field(examples=["1.0.0"])
    status: Status
    is_past_sunset: bool = Field(description="Whether it should be retired by now.")
    made_from: list[str] = Field(
        description="Source tables and feature versions, near and far.",
        examples=[["events", "products"]],
    )
    used_by: list[Consumer]
    staleness_seconds: float | None = Field(
        description="Age of what was published last; null if nothing was, if it is computed for "
        "each request, and if PostgreSQL could not be asked."
    )
    is_fresh: bool | None = Field(description="Whether that is tolerated.")
    published: Published | None = Field(description="Null where the staleness is.")
    last_runs: list[ComputationRun] | None = Field(
        description="The last few, newest first, with the quality checks that failed; null if "
        "PostgreSQL could not be asked."
    )


class FactsResponse(BaseModel):
    """How the versions of a feature are doing."""

    model_config = ConfigDict(json_schema_extra={"examples": [FACTS]})

    feature_name: str = Field(examples=["popularity_score"])
    versions: list[VersionFacts] = Field(description="Every version, oldest first.")
