"""What requests and answers say in their headers."""

from email.utils import format_datetime
from typing import Annotated

from fastapi import Depends, Header

from serving_gateway.answers import Answer
from serving_gateway.deadline import Deadline


def _deadline(
    x_timeout_ms: Annotated[
        int | None,
        Header(
            ge=1,
            le=60_000,
            description="How long you wait, in milliseconds. What takes longer is left out, and "
            "the answer is `degraded`.",
        ),
    ] = None,
) -> Deadline:
    return Deadline(None if x_timeout_ms is None else x_timeout_ms / 1_000)


Waits = Annotated[Deadline, Depends(_deadline)]


def answer_headers(answer: Answer) -> dict[str, str]:
    """
    Return the headers of an answer with versions that should not be used any more.

    `Deprecation` (RFC 9745) is the first instant since when, `Sunset` (RFC 8594) the first when one
    will be gone.
    """
    deprecated = answer.deprecated
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
