"""A line for each request that somebody may ask about later; under its id, without entities."""

from typing import Literal

import structlog
from starlette.types import Scope

_log = structlog.get_logger()

_SLOW_SECONDS = 0.5
_FIRST_ERROR = 400
# Refusals have a line of their own, which says why.
_REFUSED = frozenset({401, 403, 429})


class AccessLog:
    """
    Logs answered requests.

    Args:
        which: `all`; `errors`: those that failed or took long; `off`: none.
    """

    def __init__(self, which: Literal["off", "errors", "all"]) -> None:
        never = float("inf")
        self._lowest_status, self._least_seconds = {
            "off": (never, never),
            "errors": (_FIRST_ERROR, _SLOW_SECONDS),
            "all": (0, 0.0),
        }[which]

    def note(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        """Take note of an answer; in the context of its request, whose id the line has."""
        if status < self._lowest_status and seconds < self._least_seconds:
            return
        if status in _REFUSED and self._lowest_status:
            return
        _log.info(
            "request_answered",
            method=scope["method"],
            route=route,
            status=status,
            duration_ms=round(seconds * 1_000, 1),
            caller=scope.get("caller"),
        )
