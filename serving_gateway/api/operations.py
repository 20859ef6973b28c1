"""Routes for those who run the gateway: health, readiness, metrics."""

from fastapi import APIRouter, Request, Response, status
from prometheus_client import CONTENT_TYPE_LATEST

from serving_gateway.api.examples import METRICS
from serving_gateway.api.models.operations import Health, Readiness
from serving_gateway.auth.access import OPEN
from serving_gateway.auth.authenticator import Authenticator
from serving_gateway.departure import departure_of
from serving_gateway.resources import resources_of

router = APIRouter(tags=["operations"])


@router.get("/health", summary="Is the process alive?", openapi_extra=OPEN)
async def health() -> Health:
    """Answer; a process that can't should be restarted."""
    return Health(status="ok")


@router.get(
    "/ready",
    summary="Can values be served?",
    responses={503: {"model": Readiness}},
    openapi_extra=OPEN,
)
async def ready(request: Request, response: Response) -> Readiness:
    """Tell whether requests should come here, and whether Redis answers."""
    resources = resources_of(request)
    authenticator: Authenticator | None = request.app.state.authenticator
    readiness = Readiness(
        ready=resources.catalog.is_loaded
        and (authenticator is None or authenticator.is_ready)
        and not departure_of(request).has_begun,
        online=await resources.online.answers(),
    )
    if not readiness.ready:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return readiness


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": METRICS}}}
    },
)
async def metrics(request: Request) -> Response:
    """Return all metrics in Prometheus' text format."""
    return Response(resources_of(request).instruments.exposition(), media_type=CONTENT_TYPE_LATEST)
