"""Routes of features: the catalog, single values, batches, feature services."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from feature_repo.registry.inventory import Inventory
from feature_repo.registry.lineage_graph import lineage_graph
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.registry.search import Search, matching
from feature_repo.registry.serving_rules import reliance
from feature_repo.registry.standing import Standing, standing
from foundation import clock
from foundation.errors import VersionNotServed
from serving_gateway.answers import EntityAnswer, RowAnswer
from serving_gateway.api.documentation import DEPRECATION_HEADERS, problems
from serving_gateway.api.examples import BATCH, SERVICE
from serving_gateway.api.headers import TIMEOUT_PARAMETER, answer_headers, deadline_of
from serving_gateway.api.json_text import JsonText
from serving_gateway.api.models.catalog import CatalogQuery, CatalogResponse, FeatureResponse
from serving_gateway.api.models.facts import FactsResponse, VersionFacts
from serving_gateway.api.models.fields import EntityId, FeatureName
from serving_gateway.api.models.values import (
    BatchRequest,
    BatchResponse,
    Origin,
    ServiceRequest,
    ServiceResponse,
    ValueQuery,
    ValueResponse,
)
from serving_gateway.api.short_cut import direct, read_body
from serving_gateway.candidates import Candidates
from serving_gateway.resources import Resources, resources_of
from serving_gateway.run_history import read_last_published, read_last_runs
from serving_gateway.version_choice import Wish

# Of endpoints that take the request and return the response themselves, see `ShortCut`.
direct_router = APIRouter(prefix="/v1", tags=["features"])
router = APIRouter(prefix="/v1", tags=["features"])

_READING: dict[int | str, dict[str, Any]] = {
    200: {"headers": DEPRECATION_HEADERS},
    **problems(404, 409, 413, 422, 503),
}
_FeatureName = Annotated[
    FeatureName, Path(description="Name of the feature.", examples=["popularity_score"])
]
SERVICE_NAME = {
    "name": "service_name",
    "in": "path",
    "required": True,
    "description": "Name of the feature service.",
    "schema": {"type": "string"},
    "example": "ranking_v1",
}


@direct_router.post(
    "/features/batch",
    summary="Read many features of many entities",
    response_model=BatchResponse,
    responses=_READING,
    openapi_extra=direct(BatchRequest, BATCH),
)
async def read_batch(request: Request) -> Response:
    """
    Return every feature for every entity.

    Whatever the batch's size, it is one round trip to Redis, one query of PostgreSQL for what Redis
    does not have, and one computation for each feature of what neither has. So ask for all you need
    at once. A value that nobody has is the feature's default, or null.
    """
    asked = await read_body(request, BatchRequest)
    answer = await resources_of(request).store.read(
        asked.entity_ids,
        asked.feature_names,
        Wish(asked.version, asked.versions, asked.user_id),
        is_timed=asked.metadata,
        deadline=deadline_of(request),
    )
    return _answer(b"values", answer.values(), answer, has_origins=asked.metadata)


@direct_router.post(
    "/feature-services/{service_name}",  # noqa: FAST003 - the endpoint reads the path itself
    summary="Read a feature service for candidate products",
    response_model=ServiceResponse,
    responses=_READING,
    openapi_extra=direct(ServiceRequest, SERVICE, parameters=[SERVICE_NAME]),
)
async def read_service(request: Request) -> Response:
    """
    Return a row a product, with every feature of the service: of the product, the user, or both.

    Scores of search are computed for the query, affinities for the user. Versions are those that
    the service names, unless the request, an experiment or a pinned version says otherwise.
    """
    asked = await read_body(request, ServiceRequest)
    answer = await resources_of(request).store.read_service(
        request.path_params["service_name"],
        Candidates(asked.product_ids, asked.user_id, asked.query, asked.query_embedding),
        Wish(asked.version, asked.versions, asked.user_id),
        is_timed=asked.metadata,
        deadline=deadline_of(request),
    )
    return _answer(b"rows", answer.rows(), answer, has_origins=asked.metadata)


@router.get(
    "/features",
    summary="List feature versions and feature services",
    responses=problems(422, 503),
)
async def list_features(
    request: Request, wanted: Annotated[CatalogQuery, Query()]
) -> CatalogResponse:
    """Return the whole catalog, or the features that somebody is looking for."""
    catalog = resources_of(request).catalog.current
    return CatalogResponse(
        features=matching(catalog.features, Search(**wanted.model_dump())),
        services={name: list(members) for name, members in catalog.services.items()},
    )


@router.get(
    "/features/{feature_name}", summary="Show one feature", responses=problems(404, 422, 503)
)
async def show_feature(request: Request, feature_name: _FeatureName) -> FeatureResponse:
    """Return all versions of a feature, with their metadata."""
    resources = resources_of(request)
    versions = resources.catalog.current.versions(feature_name)
    return FeatureResponse(
        feature_name=feature_name,
        served_version=await _served_version(resources, feature_name),
        versions=list(versions),
    )


@router.get(
    "/features/{feature_name}/facts",
    summary="Show how the versions of a feature are doing",
    responses=problems(404, 422, 503),
)
async def show_facts(request: Request, feature_name: _FeatureName) -> FactsResponse:
    """Return what each version is made from, who uses it, how fresh it is, how its runs went."""
    resources, now = resources_of(request), clock.now()
    catalog = resources.catalog.current
    versions = catalog.versions(feature_name)
    runs, published = await asyncio.gather(
        read_last_runs(resources.pool, versions), read_last_published(resources.pool, versions)
    )
    rules = reliance(resources.rules.current, catalog.features, now=now)
    graph, inventory = lineage_graph(catalog), Inventory.of_catalog(catalog)
    return FactsResponse(
        feature_name=feature_name,
        versions=[
            _version_facts(
                feature,
                standing(
                    feature,
                    graph,
                    inventory,
                    rules=rules,
                    newest=published.get(feature.reference, {}).get("as_of"),
                    now=now,
                ),
                runs.get(feature.reference),
                published.get(feature.reference),
            )
            for feature in versions
        ],
    )


@router.get(
    "/features/{feature_name}/values/{entity_id:path}",
    summary="Read one value",
    responses={200: {"headers": DEPRECATION_HEADERS}, **problems(404, 409, 422, 503)},
    openapi_extra={"parameters": [TIMEOUT_PARAMETER]},
    response_model_exclude_unset=True,  # metadata that nobody asked for
)
async def read_value(
    request: Request,
    response: Response,
    feature_name: _FeatureName,
    entity_id: Annotated[
        EntityId,
        Path(
            description="Id of the entity; that of a pair joins its parts with ':'.",
            examples=["prod_123"],
        ),
    ],
    wanted: Annotated[ValueQuery, Query()],
) -> ValueResponse:
    """Return one value; if no tier has it, the feature's default, or null."""
    answer = await resources_of(request).store.read(
        [entity_id],
        [feature_name],
        Wish(wanted.version, user_id=wanted.user_id),
        is_timed=wanted.metadata,
        deadline=deadline_of(request),
    )
    response.headers.update(answer_headers(answer))
    value = _single_value(answer)
    if wanted.metadata:
        origin = orjson.loads(answer.origins())[entity_id][feature_name]
        value.metadata = Origin.model_validate(origin)
    return value


def _version_facts(
    feature: FeatureVersion,
    stands: Standing,
    runs: Sequence[Mapping[str, Any]] | None,
    published: Mapping[str, Any] | None,
) -> VersionFacts:
    return VersionFacts.model_validate(
        {
            **vars(stands),
            "version": feature.version,
            "status": feature.status,
            "published": published,
            "last_runs": runs,
        }
    )


def _single_value(answer: EntityAnswer) -> ValueResponse:
    [entity_id] = answer.entity_ids
    [collected] = answer.reading.columns
    [part] = collected.parts
    return ValueResponse(
        entity_id=entity_id,
        feature_name=collected.column.feature.feature_name,
        version=collected.column.feature.version,
        value=orjson.loads(collected.value_texts()[0]),
        served_from=part.tier,
        stale=bool(part.stale_rows),
        degraded=answer.reading.is_degraded,
    )


def _answer(
    name: bytes, content: bytes, answer: EntityAnswer | RowAnswer, *, has_origins: bool
) -> Response:
    metadata = b',"metadata":%b' % answer.origins() if has_origins else b""
    return JsonText(
        b'{"%b":%b,%b%b}' % (name, content, answer.summary(), metadata),
        headers=answer_headers(answer),
    )


async def _served_version(resources: Resources, feature_name: str) -> str | None:
    try:
        return await resources.store.get_feature_version(feature_name)
    except VersionNotServed:
        return None
