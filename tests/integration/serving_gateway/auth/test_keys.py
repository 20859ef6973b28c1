"""Keys that come, go and expire while a gateway runs."""

import contextlib
import socket
import time
from functools import partial

import httpx
import pytest
from typer.testing import CliRunner

from foundation.errors import UnknownKey
from foundation.settings import Settings
from serving_gateway.auth.commands import app
from serving_gateway.auth.scopes import AccessScope
from tests.integration.fronts import postgres_socket, running_front, url_through
from tests.integration.serving_gateway.auth.conftest import (
    REFRESH_SECONDS,
    bearer,
    guarded,
    id_of,
    run_keys,
    store_new_key,
)
from tests.integration.serving_gateway.conftest import gateway_on, read_metrics

_run = partial(CliRunner().invoke, app)


def test_a_key_works_from_its_creation_to_its_revocation(
    applied: Settings, guarded_gateway: httpx.Client
) -> None:
    """By the commands an operator types, without a restart; the key is told just once."""
    name = "a [red]name[/]; DROP TABLE api_keys"
    created = run_keys(applied, "create", "--name", name, "--scope", "read")
    assert created.returncode == 0, created.stderr
    key = created.stdout.strip()
    assert key.startswith("fs_")
    _await_status(guarded_gateway, key, 200)
    listed = _run(["list"]).stdout
    assert id_of(key) in listed
    assert name in listed
    assert key[17:] not in listed
    assert _run(["revoke", id_of(key)]).exit_code == 0
    _await_status(guarded_gateway, key, 401)
    assert "revoked" in _run(["list"]).stdout


@pytest.mark.usefixtures("applied")
def test_a_wrong_command_says_so() -> None:
    """An unknown id, an unknown scope, a name that would paint the terminal."""
    assert isinstance(_run(["revoke", "' OR true --"]).exception, UnknownKey)
    assert _run(["create", "--name", "x", "--scope", "root"]).exit_code == 2
    assert _run(["create", "--name", "\x1b[31m"]).exit_code == 2
    assert _run(["create", "--name", "x", "--expires-in-days", "0"]).exit_code == 2


def test_keys_outlive_postgresql(applied: Settings) -> None:
    """What was read is kept while PostgreSQL is down."""
    key = store_new_key(applied, AccessScope.READ)
    with contextlib.ExitStack() as front:
        port = front.enter_context(running_front(postgres_socket(applied)))
        settings = guarded(applied, postgres_url=url_through(applied, port))
        with gateway_on(settings, authentication="on") as client:
            _await_status(client, key, 200)
            front.close()
            _await_age(client, key)
            assert client.get("/v1/features", headers=bearer(key)).status_code == 200


def test_before_the_keys_are_read_nobody_is_let_in(applied: Settings) -> None:
    """A PostgreSQL that hangs at the start: 503, as the gateway is at fault; health is told."""
    key = store_new_key(applied, AccessScope.READ)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = guarded(
            applied,
            postgres_url=f"postgresql://127.0.0.1:{silent.getsockname()[1]}/postgres",
            postgres_connect_timeout_seconds=1,
        )
        with gateway_on(settings, authentication="on") as client:
            refused = client.get("/v1/features", headers=bearer(key))
            assert refused.status_code == 503
            assert "API keys" in refused.json()["detail"]
            assert client.get("/health").status_code == 200
            assert client.get("/ready").status_code == 503
            assert client.get("/v1/features").status_code == 401


def _await_status(client: httpx.Client, key: str, status: int) -> None:
    deadline = time.monotonic() + 10
    while client.get("/v1/features", headers=bearer(key)).status_code != status:
        assert time.monotonic() < deadline, f"the answer did not become {status}"


def _await_age(client: httpx.Client, key: str) -> None:
    """Wait until several readings must have failed."""
    deadline = time.monotonic() + 10
    while read_metrics(client, bearer(key))["feature_api_keys_age_seconds"] < 5 * REFRESH_SECONDS:
        assert time.monotonic() < deadline, "the keys are still read"
