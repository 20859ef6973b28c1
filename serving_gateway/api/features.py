"""Routes of features: the catalog, single values, batches."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from foundation.errors import VersionNotServed
from serving_gateway.api.models import (
    BatchRequest,
    BatchResponse,
    CatalogResponse,
    EntityId,
    FeatureResponse,
    ValueResponse,
    Version,
)
from serving_gateway.api.problems import RESPONSES
from serving_gateway.resources import Resources, resources_of
from serving_gateway.version_choice import Wish

router = APIRouter(prefix="/v1/features", tags=["features"], responses=RESPONSES)


@router.get("", summary="List every feature version and feature service")
async def list_features(request: Request) -> CatalogResponse:
    """Return the whole catalog."""
    catalog = resources_of(request).catalog.current
    return CatalogResponse(
        features=list(catalog.features),
        services={name: list(members) for name, members in catalog.services.items()},
    )


@router.post(
    "/batch",
    summary="Read many features of many entities",
    response_model=BatchResponse,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": BatchRequest.model_json_schema()}},
        }
    },
)
async def read_batch(request: Request) -> Response:
    """
    Return every feature for every entity.

    A value that no tier has is the feature's default, or null. The whole batch is one round trip to
    Redis, so ask for all you need at once.
    """
    asked = BatchRequest.model_validate_json(await request.body())
    answer = await resources_of(request).store.read(
        asked.entity_ids,
        asked.feature_names,
        Wish(asked.version, asked.versions, asked.user_id),
    )
    versions = {feature.feature_name: feature.version for feature in answer.batch.features}
    return Response(
        b'{"values":%b,"versions":%b,"counts":%b,"degraded":%b,"experiments":%b}'
        % (
            answer.batch.spliced(answer.texts),
            orjson.dumps(versions),
            orjson.dumps(answer.counts),
            orjson.dumps(answer.degraded),
            orjson.dumps(answer.variants),
        ),
        media_type="application/json",
    )


@router.get("/{feature_name}", summary="Show one feature")
async def show_feature(request: Request, feature_name: str) -> FeatureResponse:
    """Return all versions of a feature, with their metadata."""
    resources = resources_of(request)
    versions = resources.catalog.current.versions(feature_name)
    return FeatureResponse(
        feature_name=feature_name,
        served_version=await _served_version(resources, feature_name),
        versions=list(versions),
    )


@router.get("/{feature_name}/values/{entity_id:path}", summary="Read one value")
async def read_value(
    request: Request,
    feature_name: str,
    entity_id: Annotated[EntityId, Path(examples=["prod_123"])],
    version: Annotated[Version | None, Query(examples=["1.0.0"])] = None,
    user_id: Annotated[
        EntityId | None, Query(description="Whose experiments apply.", examples=["user_456"])
    ] = None,
) -> ValueResponse:
    """Return one value; if no tier has it, the feature's default, or null."""
    answer = await resources_of(request).store.read(
        [entity_id], [feature_name], Wish(version, user_id=user_id)
    )
    (tier,) = (name for name, count in answer.counts.items() if count)
    return ValueResponse(
        entity_id=entity_id,
        feature_name=feature_name,
        version=answer.batch.features[0].version,
        value=orjson.loads(answer.texts[0]),
        served_from=tier,
        degraded=answer.degraded,
    )


async def _served_version(resources: Resources, feature_name: str) -> str | None:
    try:
        return await resources.store.get_feature_version(feature_name)
    except VersionNotServed:
        return None
