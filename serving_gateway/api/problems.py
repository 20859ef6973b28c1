"""Errors as problem documents (RFC 9457); the one table of HTTP status codes."""

import math
from collections.abc import Sequence
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from foundation.errors import (
    ContractViolation,
    FeatureStoreError,
    LimitExceeded,
    NotAllowed,
    NotAuthenticated,
    Refused,
    StoreUnavailable,
    TooManyRequests,
    UnknownFeature,
    UnknownNode,
    UnknownService,
    UnknownVersion,
    VersionNotServed,
)
from serving_gateway.api.models.problems import FieldError, Problem

_log = structlog.get_logger()

# What callers can bring about, and what stores do. What pydantic finds wrong with anything but a
# request is our fault.
EXPECTED: tuple[type[Exception], ...] = (
    FeatureStoreError,
    RequestValidationError,
    HTTPException,
    ClientDisconnect,
)

# Of a body that is wrong all over, the first errors tell enough.
_ERRORS_LISTED = 20
_REALM = "feature gateway"

_STATUSES: dict[type[FeatureStoreError], tuple[HTTPStatus, str]] = {
    UnknownFeature: (HTTPStatus.NOT_FOUND, "Unknown feature"),
    UnknownNode: (HTTPStatus.NOT_FOUND, "Unknown node"),
    UnknownService: (HTTPStatus.NOT_FOUND, "Unknown feature service"),
    UnknownVersion: (HTTPStatus.NOT_FOUND, "Unknown version"),
    VersionNotServed: (HTTPStatus.CONFLICT, "Version not served"),
    LimitExceeded: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too much at once"),
    ContractViolation: (HTTPStatus.UNPROCESSABLE_ENTITY, "Malformed request"),
    StoreUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "Not ready"),
    NotAuthenticated: (HTTPStatus.UNAUTHORIZED, "Not authenticated"),
    NotAllowed: (HTTPStatus.FORBIDDEN, "Not allowed"),
    TooManyRequests: (HTTPStatus.TOO_MANY_REQUESTS, "Too many requests"),
}


def problem(
    status: HTTPStatus,
    title: str,
    detail: str,
    *,
    hint: str = "",
    errors: Sequence[FieldError] = (),
) -> JSONResponse:
    """Return a problem document."""
    body = Problem(
        type="about:blank",
        title=title,
        status=status,
        detail=detail,
        hint=hint,
        errors=list(errors),
    )
    return JSONResponse(body.model_dump(), status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Let an application answer errors with problem documents."""
    for kind in EXPECTED:
        app.add_exception_handler(kind, _handle)
    app.add_exception_handler(Exception, _handle_unexpected)


def answer(error: Exception) -> JSONResponse:
    """Return the problem document of an error that is one of `EXPECTED`."""
    match error:
        case FeatureStoreError():
            return _of_ours(error)
        case RequestValidationError():
            return _of_validation(error)
        case HTTPException():
            return _of_http(error)
        case _:
            return problem(HTTPStatus.BAD_REQUEST, "Incomplete request", "the caller hung up")


async def _handle(_: Request, error: Exception) -> JSONResponse:
    return answer(error)


async def _handle_unexpected(_: Request, error: Exception) -> JSONResponse:
    return unexpected(error)


def _of_ours(error: FeatureStoreError) -> JSONResponse:
    unforeseen = (HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error")
    status, title = _STATUSES.get(type(error), unforeseen)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request_failed", error=error.message)
    response = problem(status, title, error.message, hint=error.hint)
    if isinstance(error, Refused):
        _add_challenges(response, error)
    return response


def _add_challenges(response: JSONResponse, error: Refused) -> None:
    """Say how to authenticate (RFC 6750, RFC 7617), or when to come again (RFC 9110)."""
    if error.retry_after_seconds:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after_seconds))
    if isinstance(error, NotAuthenticated):
        wrong = "" if error.reason == "missing" else ', error="invalid_token"'
        response.headers.append("WWW-Authenticate", f'Bearer realm="{_REALM}"{wrong}')
        response.headers.append("WWW-Authenticate", f'Basic realm="{_REALM}", charset="UTF-8"')
    elif isinstance(error, NotAllowed):
        response.headers["WWW-Authenticate"] = (
            f'Bearer realm="{_REALM}", error="insufficient_scope"'
        )


def _of_validation(error: RequestValidationError) -> JSONResponse:
    found = [
        FieldError(field=".".join(map(str, detail["loc"])) or "body", message=detail["msg"])
        for detail in error.errors()[:_ERRORS_LISTED]
    ]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Malformed request",
        "; ".join(f"{entry.field}: {entry.message}" for entry in found[:5]),
        hint="/docs shows what the request must look like.",
        errors=found,
    )


def _of_http(error: HTTPException) -> JSONResponse:
    status = HTTPStatus(error.status_code)
    response = problem(status, status.phrase, str(error.detail), hint="/docs lists the routes.")
    response.headers.update(error.headers or {})
    return response


def unexpected(error: Exception) -> JSONResponse:
    """Log an error that nobody foresaw, and return a problem document that says no more of it."""
    _log.error("request_failed", exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Internal error",
        "the gateway failed",
        hint="Its log tells more under the request's X-Request-ID.",
    )
