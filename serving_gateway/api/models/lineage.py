"""What is made from what."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from feature_repo.registry.lineage_graph import NodeKind


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
