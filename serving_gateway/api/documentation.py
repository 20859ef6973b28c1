"""What the OpenAPI document says besides the bodies of requests and answers."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from serving_gateway.api.models.problems import FieldError, Problem

Json = dict[str, Any]

TAGS: list[Json] = [
    {
        "name": "features",
        "description": "Read values: of one feature and entity, of many at once, or all that a "
        "team's model needs; and see which features there are.\n\n"
        "A version is written exactly (`1.0.0`), as a range (`^1`: the newest of the same MAJOR, "
        "`~1.2`: of the same MINOR), or as `latest`. Who says nothing gets what experiments and "
        "pinned versions say, else the newest active one of the oldest MAJOR that has one.",
    },
    {
        "name": "feast",
        "description": "Feast's own way to read: callers of `feast serve`, and an `online_store` "
        "of `type: remote`, need another URL only.",
    },
    {"name": "administration", "description": "Change something; needs the scope `admin`."},
    {
        "name": "operations",
        "description": "For those who run the gateway: is it alive, is it ready, how is it doing?",
    },
]

TIMEOUT_DESCRIPTION = (
    "How long you wait, in milliseconds. What takes longer is left out, and the answer is "
    "`degraded`. Without it the gateway's own limit applies, 90 unless it is set otherwise: scores "
    "of a thousand candidates may need more."
)

# By status: when it is answered, and the problem's title, detail and hint.
_PROBLEMS: Mapping[int, tuple[str, str, str, str]] = {
    400: (
        "The request can't be read.",
        "Bad Request",
        "There was an error parsing the body",
        "/docs lists the routes.",
    ),
    401: (
        "The credential is missing, wrong, expired or revoked.",
        "Not authenticated",
        "no credential was sent",
        "Send an API key as `Authorization: Bearer <API key>`.",
    ),
    403: (
        "The credential does not allow this.",
        "Not allowed",
        "key:3f9a61c2d07b does not have the scope 'admin', which this route asks for",
        "Ask the gateway's operator for a credential that has it.",
    ),
    404: (
        "The feature, the version or the feature service is not deployed.",
        "Unknown feature",
        "feature 'popularity' does not exist",
        "Deployed features: popularity_score, product_freshness_score.",
    ),
    409: (
        "The version is deployed, but not served.",
        "Version not served",
        "feature 'popularity_score', version '0.9.0': is retired",
        "Deployed versions: 0.9.0 (retired), 1.0.0 (active).",
    ),
    413: (
        "The request asks for more than is allowed.",
        "Too much at once",
        "the request asks for 1200 entities, 1000 are allowed",
        "Split it into requests of at most 1000 entities.",
    ),
    422: (
        "The request is malformed.",
        "Malformed request",
        "entity_ids.0: Input should be a valid string",
        "/docs shows what the request must look like.",
    ),
    429: (
        "The caller asks more often than it may.",
        "Too many requests",
        "key:3f9a61c2d07b asks more often than it may",
        "Wait as Retry-After says, and ask for more at once in batches.",
    ),
    503: (
        "The catalog has not been read yet, or a store can't be told to forget.",
        "Not ready",
        "the catalog of features has not been read yet",
        "Is the registry's PostgreSQL running? The gateway keeps trying.",
    ),
}
_REQUEST_ID = {
    "description": "The id under which the gateway's log tells of this request: the one that the "
    "request had in this header, or a new one.",
    "schema": {"type": "string"},
    "example": "8c1f0e7a5d2b4a6f9e3d1c0b7a8f6e5d",
}
_REFUSAL_HEADERS: Mapping[int, Json] = {
    401: {"WWW-Authenticate": {"description": "How to identify.", "schema": {"type": "string"}}},
    403: {"WWW-Authenticate": {"description": "What is missing.", "schema": {"type": "string"}}},
    429: {
        "Retry-After": {
            "description": "In how many seconds to ask again.",
            "schema": {"type": "integer"},
            "example": 2,
        }
    },
}
DEPRECATION_HEADERS: Json = {
    "X-Deprecated-Features": {
        "description": "Versions in the answer that should not be used any more.",
        "schema": {"type": "string"},
        "example": "popularity_score==1.0.0",
    },
    "Deprecation": {
        "description": "Since when the first of them should not (RFC 9745).",
        "schema": {"type": "string"},
        "example": "@1793404800",
    },
    "Sunset": {
        "description": "When the first of them will be gone (RFC 8594).",
        "schema": {"type": "string"},
        "example": "Sun, 01 Nov 2026 00:00:00 GMT",
    },
}


def problems(*statuses: int) -> dict[int | str, Json]:
    """Return what the document says of a route's answers that are problems."""
    return {status: _problem_answer(status) for status in statuses}


def refusals() -> dict[str, Json]:
    """Return what it says of any route that asks for a credential."""
    return {str(status): _problem_answer(status) for status in (401, 403, 429)}


def complete(schema: Json) -> None:
    """Add to a document what all routes have in common."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    models = schema.setdefault("components", {}).setdefault("schemas", {})
    models |= {**problem.pop("$defs"), "Problem": problem}
    for operation in operations(schema):
        for response in operation["responses"].values():
            response.setdefault("headers", {})["X-Request-ID"] = _REQUEST_ID


def operations(schema: Json) -> Iterator[Json]:
    """Yield the operations of a document."""
    methods = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
    for path in schema["paths"].values():
        yield from (operation for method, operation in path.items() if method in methods)


def _problem_answer(status: int) -> Json:
    description, title, detail, hint = _PROBLEMS[status]
    errors = []
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        field, _, message = detail.partition(": ")
        errors = [FieldError(field=field, message=message)]
    example = Problem(
        type="about:blank", title=title, status=status, detail=detail, hint=hint, errors=errors
    )
    answer: Json = {
        "description": description,
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": example.model_dump(),
            }
        },
    }
    if status in _REFUSAL_HEADERS:
        answer["headers"] = dict(_REFUSAL_HEADERS[status])
    return answer
