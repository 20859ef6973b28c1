"""Routes that change something."""

from fastapi import APIRouter, Request

from serving_gateway.api.models import InvalidationRequest, InvalidationResponse
from serving_gateway.api.problems import RESPONSES
from serving_gateway.auth.access import requires
from serving_gateway.auth.scopes import AccessScope
from serving_gateway.invalidation import Invalidation, invalidate
from serving_gateway.resources import resources_of

router = APIRouter(prefix="/v1", tags=["administration"], responses=RESPONSES)


@router.post(
    "/cache/invalidate",
    summary="Remove values from Redis",
    openapi_extra=requires(AccessScope.ADMIN),
)
async def invalidate_cache(request: Request, asked: InvalidationRequest) -> InvalidationResponse:
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
