"""Routes of lineage: what is made from what, and what a change would reach."""

from collections.abc import Sequence
from typing import Annotated

import psycopg
import structlog
from fastapi import APIRouter, Path, Query, Request
from psycopg.rows import dict_row

from feature_repo.registry.lineage_graph import Direction, around, lineage_graph, reached
from feature_repo.registry.lineage_pictures import lineage_record
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.run_facts import LAST_RUNS, RunFacts, last_runs_parameters, run_facts
from foundation.postgres import Pool
from serving_gateway.api.documentation import problems
from serving_gateway.api.models.lineage import Affected, ImpactResponse, LineageResponse
from serving_gateway.resources import resources_of

_log = structlog.get_logger()

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
    facts = await _last_runs(resources.pool, features)
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


async def _last_runs(pool: Pool, features: Sequence[FeatureVersion]) -> RunFacts:
    """Return how computations went; nothing if PostgreSQL can't be asked."""
    try:
        # Within the limits of the pool: a statement that takes too long is cancelled, not left.
        async with (
            pool.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(LAST_RUNS, last_runs_parameters(features))
            return run_facts(features, await cursor.fetchall())
    except psycopg.Error as error:
        _log.warning("last_runs_not_read", error=str(error))
        return {}
