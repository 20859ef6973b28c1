"""Routes that change something."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Body, Request

from serving_gateway.api.documentation import problems
from serving_gateway.api.examples import INVALIDATION
from serving_gateway.api.models.administration import InvalidationRequest, InvalidationResponse
from serving_gateway.auth.access import requires
from serving_gateway.auth.scopes import AccessScope
from serving_gateway.invalidation import Invalidation
from serving_gateway.resources import resources_of

_log = structlog.get_logger()

router = APIRouter(prefix="/v1", tags=["administration"])


@router.post(
    "/cache/invalidate",
    summary="Remove values that are no longer right",
    responses=problems(400, 404, 413, 422, 503),
    openapi_extra=requires(AccessScope.ADMIN),
)
async def invalidate_cache(
    request: Request,
    asked: Annotated[InvalidationRequest, Body(openapi_examples=INVALIDATION)],
) -> InvalidationResponse:
    """
    Remove values by feature, version and entity, such as those of a product that has changed.

    Redis forgets them. Of features that can be computed for a request, PostgreSQL forgets the
    latest values of the named entities, too: whoever asks next has them computed anew. Those of
    other features stay in PostgreSQL, and are served until their job has run, for nothing could
    take their place; so do all of them if no entities are named. The history keeps everything.
    Within half a second all gateway processes look again for what they took for absent.
    """
    removed = await resources_of(request).invalidator.invalidate(
        Invalidation(asked.feature_name, asked.version, asked.entity_ids)
    )
    _log.info(
        "values_invalidated",
        feature_name=asked.feature_name,
        version=asked.version,
        entities=None if asked.entity_ids is None else len(asked.entity_ids),
        removed=removed.online,
        removed_offline=removed.offline,
    )
    return InvalidationResponse(removed=removed.online, removed_offline=removed.offline)
