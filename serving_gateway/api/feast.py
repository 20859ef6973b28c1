"""Feast's own route: whoever calls `feast serve` can call the gateway instead."""

import orjson
from fastapi import APIRouter, Request, Response

from foundation.errors import UnknownFeature, UnknownService
from serving_gateway.api.documentation import DEPRECATION_HEADERS, problems
from serving_gateway.api.examples import FEAST
from serving_gateway.api.headers import answer_headers, deadline_of
from serving_gateway.api.json_text import JsonText
from serving_gateway.api.models.feast import FeastRequest, FeastResponse
from serving_gateway.api.short_cut import direct, read_body
from serving_gateway.feast_answer import NO_VALUE, feast_answer
from serving_gateway.feast_plan import plan_read
from serving_gateway.resources import resources_of

_NOT_FOUND_CLASSES = {
    UnknownFeature: "FeatureViewNotFoundException",
    UnknownService: "FeatureServiceNotFoundException",
}
_FEAST_ERROR = {
    "description": "The feature view or feature service is not deployed: Feast's error, as a text "
    "that holds JSON, which its client raises again.",
    "content": {
        "application/json": {
            "schema": {"type": "string"},
            "example": orjson.dumps(
                {
                    "module": "feast.errors",
                    "class": "FeatureViewNotFoundException",
                    "message": "Feature view popularity does not exist",
                }
            ).decode(),
        }
    },
}
_DEGRADED = {
    "X-Degraded": {
        "description": "`true` if a tier could not answer, and a lower one stood in.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}

direct_router = APIRouter(tags=["feast"])


@direct_router.post(
    "/get-online-features",
    summary="Read features as from `feast serve`",
    response_model=FeastResponse,
    responses={
        200: {"headers": DEPRECATION_HEADERS | _DEGRADED},
        **problems(409, 413, 422, 503),
        404: _FEAST_ERROR,
    },
    openapi_extra=direct(FeastRequest, FEAST),
)
async def get_online_features(request: Request) -> Response:
    """
    Answer as `feast serve` does, so that a Feast client needs another URL only.

    Versions are those that the views are named after; experiments and pinned versions play no part.
    A value that no tier has is null, never the feature's default: Feast knows none. A stale one has
    the status OUTSIDE_MAX_AGE. If a tier could not answer, the header `X-Degraded` is `true`.
    """
    asked = await read_body(request, FeastRequest)
    resources = resources_of(request)
    try:
        plan = plan_read(
            resources.catalog.current,
            asked.entities,
            asked.features,
            asked.feature_service,
            has_full_names=asked.full_feature_names,
        )
    except (UnknownFeature, UnknownService) as error:
        return _not_found(error)
    answer = await resources.store.read_columns(
        [column.column for column in plan.columns],
        row_count=plan.row_count,
        missing=NO_VALUE,
        deadline=deadline_of(request),
    )
    degraded = {"X-Degraded": "true"} if answer.reading.is_degraded else {}
    return JsonText(
        feast_answer(plan, answer.reading, has_views=asked.include_feature_view_version_metadata),
        headers=answer_headers(answer) | degraded,
    )


def _not_found(error: UnknownFeature | UnknownService) -> Response:
    told = {
        "module": "feast.errors",
        "class": _NOT_FOUND_CLASSES[type(error)],
        "message": f"{error.message}. {error.hint}",
    }
    return Response(orjson.dumps(orjson.dumps(told).decode()), 404, media_type="application/json")
