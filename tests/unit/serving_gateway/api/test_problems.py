"""Whose fault an error is."""

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import ASGIApp

from serving_gateway.api import problems
from serving_gateway.api.access_log import AccessLog
from serving_gateway.api.middleware import RequestMiddleware
from serving_gateway.departure import Departure
from serving_gateway.instrumentation import Instruments


class _Answer(BaseModel):
    value: float


@pytest.fixture
def app() -> ASGIApp:
    """Return an application whose routes break their own promise."""
    app = FastAPI()
    problems.install(app)

    @app.get("/built/{number}")
    async def build(number: int) -> _Answer:
        return _Answer.model_validate({"value": f"no. {number}"})

    @app.get("/returned", response_model=_Answer)
    async def give() -> dict[str, str]:
        return {"value": "none"}

    app.add_middleware(
        RequestMiddleware,
        instruments=Instruments(),
        access_log=AccessLog("off"),
        departure=Departure(limit_seconds=1.0),
        max_body_bytes=1_024,
    )
    return app


@pytest.mark.parametrize(
    ("path", "status"), [("/built/1", 500), ("/returned", 500), ("/built/x", 422)]
)
async def test_a_wrong_answer_is_not_the_callers_fault(
    app: ASGIApp, path: str, status: int
) -> None:
    """A wrong request is."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway"
    ) as client:
        response = await client.get(path)
    assert response.status_code == response.json()["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
