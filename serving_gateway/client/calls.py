"""What is sent, and what an answer means; no input or output."""

import json
import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import quote

import httpx

from serving_gateway.client.errors import (
    ClientError,
    GatewayUnavailable,
    LimitExceeded,
    MalformedRequest,
    NotAllowed,
    NotAuthenticated,
    TimedOut,
    TooManyRequests,
    UnexpectedAnswer,
    UnknownName,
    VersionNotServed,
)

_log = logging.getLogger(__name__)

_ERRORS: Mapping[int, type[ClientError]] = {
    401: NotAuthenticated,
    403: NotAllowed,
    404: UnknownName,
    409: VersionNotServed,
    413: LimitExceeded,
    429: TooManyRequests,
}
SPENT = "there was no whole answer within the budget"
_FIRST_WAIT_SECONDS = 0.04
_LONGEST_WAIT_SECONDS = 0.5
_FIRST_SERVER_ERROR = 500
_LONGEST_MILLISECONDS = 60_000


@dataclass(frozen=True)
class ClientSettings:
    """
    How a client asks.

    Attributes:
        api_key: Created with `python -m serving_gateway keys create`; None: the gateway asks for
            none.
        budget_seconds: Longest time that a call may take, with all its retries.
        attempts: How often a request is sent at most.
        max_entities: Most entities in one request; more are split.
        max_features: Most features in one request; more are split.
        connections: Most connections to the gateway.
    """

    api_key: str | None = field(default=None, repr=False)
    budget_seconds: float = 1.0
    attempts: int = 3
    max_entities: int = 1_000
    max_features: int = 100
    connections: int = 20

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}

    @property
    def limits(self) -> httpx.Limits:
        """How many connections are opened and kept."""
        return httpx.Limits(
            max_connections=self.connections, max_keepalive_connections=self.connections
        )


@dataclass(frozen=True)
class Call:
    """One request; sent again, it asks the same."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


class Retried(GatewayUnavailable):
    """
    A failure after which the request is sent again.

    Args:
        error: What the caller is told if nothing helps.
        wait_seconds: How long the gateway asks to wait; None: it does not say.
    """

    def __init__(self, error: GatewayUnavailable, wait_seconds: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_seconds = wait_seconds


def value_call(entity_id: str, feature_name: str, version: str | None) -> Call:
    """Ask for one value."""
    path = f"/v1/features/{_quoted(feature_name)}/values/{_quoted(entity_id)}"
    return Call("GET", path, parameters={} if version is None else {"version": version})


def feature_call(feature_name: str) -> Call:
    """Ask for one feature's versions."""
    return Call("GET", f"/v1/features/{_quoted(feature_name)}")


def catalog_call() -> Call:
    """Ask for the catalog."""
    return Call("GET", "/v1/features")


def batch_calls(
    settings: ClientSettings,
    entity_ids: Sequence[str],
    feature_names: Sequence[str],
    **options: Any,  # noqa: ANN401 - further fields of the body
) -> list[Call]:
    """Ask for every feature of every entity, in as many requests as the limits make necessary."""
    entities = _split(list(dict.fromkeys(entity_ids)), settings.max_entities)
    features = _split(list(dict.fromkeys(feature_names)), settings.max_features)
    told = _told(options)
    return [
        Call("POST", "/v1/features/batch", {"entity_ids": e, "feature_names": f, **told})
        for e, f in product(entities, features)
    ]


def service_calls(
    settings: ClientSettings,
    service_name: str,
    product_ids: Sequence[str],
    **options: Any,  # noqa: ANN401 - further fields of the body
) -> list[Call]:
    """Ask for a feature service, in as many requests as the limits make necessary."""
    path = f"/v1/feature-services/{_quoted(service_name)}"
    told = _told(options)
    products = _split(list(dict.fromkeys(product_ids)), settings.max_entities)
    return [Call("POST", path, {"product_ids": part, **told}) for part in products]


def invalidation_calls(
    settings: ClientSettings,
    entity_ids: Sequence[str],
    **options: Any,  # noqa: ANN401 - further fields of the body
) -> list[Call]:
    """Ask to remove values, in as many requests as the limits make necessary."""
    told = _told(options)
    entities = _split(list(dict.fromkeys(entity_ids)), settings.max_entities)
    return [Call("POST", "/v1/cache/invalidate", {"entity_ids": e, **told}) for e in entities]


def remaining_seconds(end: float) -> float:
    """
    Return how long a call may take still.

    Args:
        end: When its budget is spent, on the monotonic clock.

    Raises:
        TimedOut: It is spent.
    """
    remaining = end - time.monotonic()
    if remaining <= 0:
        raise TimedOut(SPENT)
    return remaining


def timeout_header(remaining_seconds: float) -> dict[str, str]:
    """Tell the gateway how long the caller waits still."""
    milliseconds = min(max(int(remaining_seconds * 1_000), 1), _LONGEST_MILLISECONDS)
    return {"X-Timeout-Ms": str(milliseconds)}


def read_answer(response: httpx.Response, content: bytes) -> dict[str, Any]:
    """
    Return the body of an answer, parsed.

    Args:
        response: Its status and headers.
        content: Its body.

    Raises:
        Retried: The request should be sent again.
        ClientError: It was refused, or this is no answer.
    """
    request_id = response.headers.get("X-Request-ID")
    if response.is_success:
        return _parsed(content, request_id)
    kind = _ERRORS.get(response.status_code, MalformedRequest)
    if response.status_code >= _FIRST_SERVER_ERROR:
        kind = GatewayUnavailable
    error = kind(_told_problem(response.status_code, content), request_id=request_id)
    if isinstance(error, GatewayUnavailable):
        raise Retried(error, _retry_after(response))
    raise error


def unreachable(error: httpx.TransportError) -> Retried:
    """Return what a failure on the way means."""
    kind = TimedOut if isinstance(error, httpx.TimeoutException) else GatewayUnavailable
    return Retried(kind(f"{type(error).__name__}: {error}"))


class Backoff:
    """
    Tells whether, and after how many seconds, a request is sent again.

    As long as the gateway asks to wait, or else at random up to a limit that doubles; not at all if
    that is longer than what is left of the budget.

    Args:
        end: When the budget is spent, on the monotonic clock.
    """

    def __init__(self, end: float) -> None:
        self._end = end
        self._limit = _FIRST_WAIT_SECONDS

    def __call__(self, error: Exception) -> bool | float:
        """Return the wait in seconds; False for no further attempt."""
        if not isinstance(error, Retried):
            return False
        wait = error.wait_seconds
        if wait is None:
            wait = random.uniform(0, self._limit)  # noqa: S311 - no secret
            self._limit = min(2 * self._limit, _LONGEST_WAIT_SECONDS)
        return wait if wait < self._end - time.monotonic() else False


class DeprecationWatch:
    """Warns of each deprecated version once."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def look(self, response: httpx.Response) -> None:
        """Warn if an answer has a version that should not be used any more."""
        named = response.headers.get("X-Deprecated-Features")
        if named is not None and named not in self._known:
            self._known.add(named)
            sunset = response.headers.get("Sunset", "an unknown date")
            _log.warning("deprecated feature versions are served until %s: %s", sunset, named)


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _told(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from the gateway's own defaults."""
    return {name: value for name, value in options.items() if value not in (None, False)}


def _split(items: list[str], size: int) -> list[list[str]]:
    # Nothing to ask for is one request that asks for nothing: the gateway says what is wrong.
    return [items[start : start + size] for start in range(0, max(len(items), 1), size)]


def _parsed(content: bytes, request_id: str | None) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError as error:
        raise UnexpectedAnswer("the answer is no JSON", request_id=request_id) from error
    if not isinstance(body, dict):
        raise UnexpectedAnswer("the answer is no JSON object", request_id=request_id)
    return body


def _told_problem(status: int, content: bytes) -> str:
    try:
        problem = json.loads(content)
        return f"{problem['detail']} {problem.get('hint', '')}".strip()
    except (ValueError, KeyError, TypeError):
        return f"status {status}"


def _retry_after(response: httpx.Response) -> float | None:
    given = response.headers.get("Retry-After", "")
    return float(given) if given.isascii() and given.isdigit() else None
