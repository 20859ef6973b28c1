"""Which requests the access log has, and what it says of them."""

from typing import Literal

import pytest
from structlog.testing import capture_logs

from serving_gateway.api.access_log import AccessLog

SCOPE = {"type": "http", "method": "GET", "path": "/v1/features/f/values/secret", "caller": "key:a"}
ROUTE = "/v1/features/{feature_name}/values/{entity_id:path}"


@pytest.mark.parametrize(
    ("which", "logged"),
    [("off", []), ("errors", [200, 404, 500]), ("all", [200, 200, 401, 404, 500])],
)
def test_requests_are_logged_as_set(
    which: Literal["off", "errors", "all"], logged: list[int]
) -> None:
    """None; those that failed or took long, but for refusals, which are logged elsewhere; all."""
    log = AccessLog(which)
    with capture_logs() as events:
        for status, seconds in ((200, 0.001), (200, 0.5), (401, 0.001), (404, 0.0), (500, 0.0)):
            log.note(SCOPE, ROUTE, status, seconds)
    assert [event["status"] for event in events] == logged


def test_a_line_tells_who_asked_for_what_and_how_it_went() -> None:
    """But not for whose values."""
    with capture_logs() as events:
        AccessLog("all").note(SCOPE, ROUTE, 200, 0.0123)
    assert events == [
        {
            "event": "request_answered",
            "method": "GET",
            "route": ROUTE,
            "status": 200,
            "duration_ms": 12.3,
            "caller": "key:a",
            "log_level": "info",
        }
    ]
