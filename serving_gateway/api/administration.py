"""Routes that change something."""

from typing import Annotated

from fastapi import APIRouter, Body, Request

from serving_gateway.api.documentation import problems
from serving_gateway.api.examples import INVALIDATION
from serving_gateway.api.models import InvalidationRequest, InvalidationResponse
from serving_gateway.auth.access import requires
from serving_gateway.auth.scopes import AccessScope
from serving_gateway.invalidation import Invalidation, invalidate
from serving_gateway.resources import resources_of

router = APIRouter(prefix="/v1", tags=["administration"])


@router.post(
    "/cache/invalidate",
    summary="Remove values from Redis",
    responses=problems(400, 404, 413, 422, 503),
    openapi_extra=requires(AccessScope.ADMIN),
)
async def invalidate_cache(
    request: Request,
    asked: Annotated[InvalidationRequest, Body(openapi_examples=INVALIDATION)],
) -> InvalidationResponse:
    """
    Remove values by feature, version and entity, such as those of a product that has changed.

    They are read from PostgreSQL, or computed anew, when somebody asks for them.
    """
    resources = resources_of(request)
    removed = await invalidate(
        resources.settings,
        resources.catalog.current,
        Invalidation(asked.feature_name, asked.version, asked.entity_ids),
    )
    resources.offline.flights.forget_absent()
    resources.on_demand.flights.forget_absent()
    return InvalidationResponse(removed=removed)
