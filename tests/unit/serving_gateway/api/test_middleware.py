"""Every request has an id, even one that fails in a way nobody foresaw."""

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.testing import capture_logs

from serving_gateway.api.access_log import AccessLog
from serving_gateway.api.middleware import RequestMiddleware
from serving_gateway.departure import Departure
from serving_gateway.instrumentation import Instruments

START = {"type": "http.response.start", "status": 200, "headers": []}


async def _fail(_: Scope, __: Receive, ___: Send) -> None:
    raise RuntimeError("password=hunter2")


async def _fail_half_way(_: Scope, __: Receive, send: Send) -> None:
    await send(START)
    raise RuntimeError("too late")


async def _get(app: ASGIApp, instruments: Instruments) -> httpx.Response:
    departure = Departure(limit_seconds=1.0)
    wrapped = RequestMiddleware(
        app,
        instruments=instruments,
        access_log=AccessLog("off"),
        departure=departure,
        max_body_bytes=1_024,
    )
    transport = httpx.ASGITransport(wrapped)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return await client.get("/", headers={"X-Request-ID": "abc-1"})


async def test_an_unforeseen_failure_is_answered_without_its_details() -> None:
    """The caller gets a problem document and the id; the log gets the error."""
    instruments = Instruments()
    with capture_logs() as logged:
        response = await _get(_fail, instruments)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["X-Request-ID"] == "abc-1"
    assert "hunter2" not in response.text
    assert [(entry["event"], str(entry["exc_info"])) for entry in logged] == [
        ("request_failed", "password=hunter2")
    ]
    counted = 'http_requests_total{method="GET",route="unmatched",status="500"} 1.0'
    assert counted in instruments.exposition().decode()


async def test_half_an_answer_is_not_followed_by_another() -> None:
    """Once an answer has begun, the server must cut the connection."""
    with pytest.raises(RuntimeError, match="too late"):
        await _get(_fail_half_way, Instruments())
