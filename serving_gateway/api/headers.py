"""What requests and answers say in their headers."""

import re
from email.utils import format_datetime

from starlette.requests import Request
from starlette.types import Scope

from foundation.errors import ContractViolation
from serving_gateway.answers import Answer
from serving_gateway.api.documentation import TIMEOUT_DESCRIPTION
from serving_gateway.deadline import NO_DEADLINE, Deadline

_LONGEST_MILLISECONDS = 60_000
# No more digits than the longest has: the whole of what anybody sends is never made a number.
_WHOLE_NUMBER = re.compile(r"[0-9]{1,5}")

TIMEOUT_PARAMETER = {
    "name": "X-Timeout-Ms",
    "in": "header",
    "required": False,
    "description": TIMEOUT_DESCRIPTION,
    "example": 50,
    "schema": {"type": "integer", "minimum": 1, "maximum": _LONGEST_MILLISECONDS},
}


def header_of(request: Scope, name: bytes) -> str | None:
    """
    Return the value of a request's header; None if it has none.

    Starlette's `Headers` would decode each name on the way.

    Args:
        request: Its ASGI scope.
        name: In lower case, as ASGI has them.
    """
    for each, value in request["headers"]:
        if each == name:
            return str(value, "latin-1")
    return None


def deadline_of(request: Request) -> Deadline:
    """
    Return when the caller of a request is gone.

    Raises:
        ContractViolation: The header is no whole number of milliseconds within its range.
    """
    given = header_of(request.scope, b"x-timeout-ms")
    if given is None:
        return NO_DEADLINE
    if not (_WHOLE_NUMBER.fullmatch(given) and 1 <= int(given) <= _LONGEST_MILLISECONDS):
        raise ContractViolation(
            f"X-Timeout-Ms: {given[:20]!r} is not a number of milliseconds",
            hint=f"Send a whole number from 1 to {_LONGEST_MILLISECONDS}, or no such header.",
        )
    return Deadline(int(given) / 1_000)


def answer_headers(answer: Answer) -> dict[str, str]:
    """
    Return the headers of an answer with versions that should not be used any more.

    `Deprecation` (RFC 9745) is the first instant since when, `Sunset` (RFC 8594) the first when one
    will be gone.
    """
    deprecated = answer.reading.selection.deprecated
    if not deprecated:
        return {}
    headers = {"X-Deprecated-Features": ", ".join(feature.reference for feature in deprecated)}
    since = [feature.deprecated_at for feature in deprecated if feature.deprecated_at]
    until = [feature.sunset_at for feature in deprecated if feature.sunset_at]
    if since:
        headers["Deprecation"] = f"@{min(since).timestamp():.0f}"
    if until:
        headers["Sunset"] = format_datetime(min(until), usegmt=True)
    return headers
