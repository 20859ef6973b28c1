"""Tokens of an identity provider, whose keys come over HTTP and change."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from foundation.settings import Settings
from serving_gateway.auth.scopes import AccessScope
from tests.integration.serving_gateway.auth.conftest import bearer, guarded, store_new_key
from tests.integration.serving_gateway.conftest import gateway_on
from tests.unit.serving_gateway.auth.tokens import AUDIENCE, ISSUER, Signer


class _Provider(ThreadingHTTPServer):
    """Publishes the public halves of some keys."""

    def __init__(self, *signers: Signer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.signers = list(signers)

    @property
    def url(self) -> str:
        """Where the keys are."""
        return f"http://127.0.0.1:{self.server_port}/keys"


class _Handler(BaseHTTPRequestHandler):
    server: _Provider

    def do_GET(self) -> None:
        """Answer with the keys."""
        self.send_response(200)
        self.end_headers()
        keys = [signer.published for signer in self.server.signers]
        self.wfile.write(json.dumps({"keys": keys}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Stay silent."""


@contextlib.contextmanager
def _running(provider: _Provider) -> Iterator[_Provider]:
    thread = threading.Thread(target=provider.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        provider.shutdown()
        provider.server_close()
        thread.join()


def _settings(applied: Settings, url: str) -> Settings:
    return guarded(
        applied,
        oidc_issuer=ISSUER,
        oidc_audience=AUDIENCE,
        oidc_jwks_url=url,
        oidc_refresh_seconds=0.1,
    )


def _status(client: httpx.Client, token: str) -> int:
    return client.get("/v1/features", headers=bearer(token)).status_code


def test_tokens_are_accepted_beside_keys(applied: Settings) -> None:
    """Good ones; others get 401, or 403 if they are good for something else."""
    signer = Signer("k1")
    key = store_new_key(applied, AccessScope.READ)
    with (
        _running(_Provider(signer)) as provider,
        gateway_on(_settings(applied, provider.url), authentication="on") as client,
    ):
        assert _status(client, signer.token()) == 200
        assert _status(client, key) == 200
        assert _status(client, signer.token(scope="openid")) == 403
        assert _status(client, signer.token(exp=1_000_000_000)) == 401
        assert _status(client, Signer("k1").token()) == 401
        refused = client.get("/v1/features", headers=bearer(signer.token(aud="other")))
        assert "audience" in refused.json()["detail"]
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_keys_are_followed_and_kept(applied: Settings) -> None:
    """A new key is learned, a withdrawn one forgotten; with the provider down, they stay."""
    old, new = Signer("k1"), Signer("k2")
    with contextlib.ExitStack() as stack:
        provider = stack.enter_context(_running(_Provider(old)))
        settings = _settings(applied, provider.url)
        with gateway_on(settings, authentication="on") as client:
            assert _status(client, old.token()) == 200
            assert _status(client, new.token()) == 401
            provider.signers = [new]
            _await(client, new.token(), 200)
            assert _status(client, old.token()) == 401
            stack.close()
            time.sleep(0.2)
            assert _status(client, new.token()) == 200


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"keys": []}', b'{"keys": 7}'])
def test_a_provider_that_answers_garbage_costs_tokens_only(
    applied: Settings, answer: bytes
) -> None:
    """Its tokens can't be told yet, keys can."""
    key = store_new_key(applied, AccessScope.READ)

    class Garbage(_Handler):
        def do_GET(self) -> None:
            """Answer with garbage."""
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

    provider = _Provider()
    provider.RequestHandlerClass = Garbage
    with (
        _running(provider),
        gateway_on(_settings(applied, provider.url), authentication="on") as client,
    ):
        assert _status(client, Signer("k1").token()) == 503
        assert _status(client, key) == 200


def _await(client: httpx.Client, token: str, status: int) -> None:
    deadline = time.monotonic() + 15
    while _status(client, token) != status:
        assert time.monotonic() < deadline, f"the answer did not become {status}"
        time.sleep(0.05)
