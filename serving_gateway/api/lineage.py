"""Routes of lineage: what is made from what, and what a change would reach."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from feature_repo.registry.lineage_graph import Direction, around, lineage_graph, reached
from feature_repo.registry.lineage_pictures import lineage_record
from serving_gateway.api.documentation import problems
from serving_gateway.api.models.lineage import Affected, ImpactResponse, LineageResponse
from serving_gateway.resources import resources_of
from serving_gateway.run_history import read_last_runs

router = APIRouter(prefix="/v1", tags=["features"])

_Node = Annotated[
    str,
    Path(
        min_length=1,
        max_length=256,
        description="A source table, a column of one (`events.event_type`), a feature, a feature "
        "version or a feature service.",
        examples=["popularity_score==1.0.0"],
    ),
]


@router.get(
    "/lineage/{node}",
    summary="Show what something is made from, and what is made from it",
    responses=problems(404, 422, 503),
)
async def show_lineage(
    request: Request,
    node: _Node,
    direction: Annotated[
        Direction | None, Query(description="One way only.", examples=["up"])
    ] = None,
    depth: Annotated[
        int | None, Query(ge=1, le=100, description="Steps to go.", examples=[1])
    ] = None,
) -> LineageResponse:
    """Return tables, feature versions and feature services around one of them."""
    resources = resources_of(request)
    catalog = resources.catalog.current
    found = around(lineage_graph(catalog), node, direction=direction, depth=depth)
    features = [feature for feature in catalog.features if feature.reference in found.nodes]
    facts = await read_last_runs(resources.pool, features)
    return LineageResponse.model_validate(lineage_record(found, facts))


@router.get(
    "/impact/{node}",
    summary="Show what a change would reach",
    responses=problems(404, 422, 503),
)
async def show_impact(request: Request, node: _Node) -> ImpactResponse:
    """Return every feature version and feature service that is made from something."""
    catalog = resources_of(request).catalog.current
    owners = {feature.reference: feature.owner for feature in catalog.features}
    owners |= catalog.service_owners
    return ImpactResponse(
        affected=[
            Affected(name=name, kind=kind, owner=owners.get(name))
            for name, kind in reached(lineage_graph(catalog), node).items()
        ]
    )
