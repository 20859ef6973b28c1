"""Who asks too often is told when to come again."""

from collections.abc import Mapping

import httpx

from foundation.settings import Settings
from tests.integration.serving_gateway.auth.conftest import bearer, guarded
from tests.integration.serving_gateway.conftest import gateway_on


def _refused(response: httpx.Response) -> str:
    """Return the detail of a refusal that must be well-formed."""
    assert response.status_code == 429
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0
    return str(response.json()["detail"])


def test_a_caller_and_an_address_have_limits(applied: Settings, keys: Mapping[str, str]) -> None:
    """A key, of requests; an address, of wrong credentials."""
    settings = guarded(
        applied,
        caller_requests_per_second=0.01,
        caller_requests_burst=2,
        failed_credentials_per_minute=3,
    )
    reader, admin = bearer(keys["read"]), bearer(keys["admin"])
    with gateway_on(settings, authentication="on") as client:
        for _ in range(2):
            assert client.get("/docs", headers=reader).status_code == 200
        detail = _refused(client.get("/docs", headers=reader))
        assert keys["read"].split("_")[1] in detail
        assert client.get("/docs", headers=admin).status_code == 200
        for _ in range(3):
            assert client.get("/docs", headers=bearer(keys["wrong"])).status_code == 401
        _refused(client.get("/docs", headers=bearer(keys["wrong"])))
        assert client.get("/docs", headers=admin).status_code == 200
        assert client.get("/health").status_code == 200
