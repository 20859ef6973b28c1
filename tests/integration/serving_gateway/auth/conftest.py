"""A gateway that asks for credentials, and credentials of every kind."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta

import httpx
import pytest

from foundation import clock
from foundation.settings import Settings
from serving_gateway.auth.api_keys import new_key
from serving_gateway.auth.key_table import revoke_key, store_key
from serving_gateway.auth.scopes import AccessScope
from tests.integration.serving_gateway.conftest import gateway_on

_HOUR = timedelta(hours=1)
# Quick enough for tests to wait for.
REFRESH_SECONDS = 0.05


def store_new_key(settings: Settings, scope: AccessScope, *, is_expired: bool = False) -> str:
    """Create a key and return its text."""
    now = clock.now()
    expires_at = now - _HOUR if is_expired else now + _HOUR
    text, key = new_key("test", frozenset({scope}), now=now, expires_at=expires_at)
    store_key(settings, key)
    return text


def id_of(key: str) -> str:
    """Return the id in a key."""
    return key.split("_")[1]


def bearer(credential: str) -> dict[str, str]:
    """Return the header that carries a key or token."""
    return {"Authorization": f"Bearer {credential}"}


def basic(password: str) -> dict[str, str]:
    """Return the header that a browser sends."""
    return {"Authorization": "Basic " + base64.b64encode(f"me:{password}".encode()).decode()}


def run_keys(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m serving_gateway keys`."""
    return subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-m", "serving_gateway", "keys", *arguments],
        env={**os.environ, "FEATURE_STORE_DATA_DIR": str(settings.data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )


def guarded(settings: Settings, **changes: object) -> Settings:
    """Return settings with authentication, quick to learn of new keys."""
    updates = {
        "credential_refresh_seconds": REFRESH_SECONDS,
        "failed_credentials_per_minute": 0,
        **changes,
    }
    return Settings.model_validate({**settings.model_dump(), **updates})


@pytest.fixture(scope="module")
def keys(applied: Settings) -> Mapping[str, str]:
    """Return keys: read, admin, expired, revoked, and unknown."""
    found = {
        "read": store_new_key(applied, AccessScope.READ),
        "admin": store_new_key(applied, AccessScope.ADMIN),
        "expired": store_new_key(applied, AccessScope.ADMIN, is_expired=True),
        "revoked": store_new_key(applied, AccessScope.ADMIN),
    }
    revoke_key(applied, id_of(found["revoked"]), at=clock.now())
    other = store_new_key(applied, AccessScope.READ)
    found["wrong"] = found["admin"][:17] + other[17:]
    return found


@pytest.fixture(scope="module")
def guarded_gateway(applied: Settings, keys: Mapping[str, str]) -> Iterator[httpx.Client]:  # noqa: ARG001 - stored first
    """Yield a client, without a credential, of a gateway that asks for one."""
    with gateway_on(guarded(applied), authentication="on") as client:
        yield client


@pytest.fixture(scope="module")
def slow_address(applied: Settings, keys: Mapping[str, str]) -> Iterator[tuple[str, int]]:  # noqa: ARG001 - stored first
    """Yield the address of a gateway that soon loses patience."""
    settings = guarded(applied, request_read_timeout_seconds=0.2)
    with gateway_on(settings, authentication="on") as client:
        assert client.base_url.port is not None
        yield client.base_url.host, client.base_url.port
