"""The gate lets in who may, as often as they may."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import jwt
import pytest

from foundation import clock
from foundation.errors import NotAllowed, NotAuthenticated, StoreUnavailable, TooManyRequests
from serving_gateway.auth.api_keys import ApiKey, new_key
from serving_gateway.auth.authenticator import Authenticator
from serving_gateway.auth.gate import Gate
from serving_gateway.auth.rate_limit import RateLimit
from serving_gateway.auth.refreshed import Refreshed
from serving_gateway.auth.scopes import AccessScope
from serving_gateway.auth.tokens import TokenRules
from tests.unit.serving_gateway.auth.test_credentials import _basic
from tests.unit.serving_gateway.auth.tokens import AUDIENCE, ISSUER, Signer

_LONG = timedelta(hours=1)
_RULES = TokenRules(ISSUER, AUDIENCE, timedelta(0), "scope", {"read": AccessScope.READ})


class _Provider:
    """Keys and signing keys in memory, as the gateway would have read them."""

    def __init__(self, *scopes: AccessScope) -> None:
        now = clock.now()
        made = [new_key("test", frozenset({s}), now=now, expires_at=now + _LONG) for s in scopes]
        self.texts = [text for text, _ in made]
        self.keys: Mapping[str, ApiKey] = {key.key_id: key for _, key in made}
        self.signers = [Signer("k1")]
        self._keys: Refreshed[Mapping[str, ApiKey]] = Refreshed(
            "keys", self._read_keys, interval=_LONG, shortest_interval=_LONG
        )
        self.signing_keys: Refreshed[Mapping[str, jwt.PyJWK]] = Refreshed(
            "signing keys", self._read_signing_keys, interval=_LONG, shortest_interval=_LONG
        )
        self.authenticator = Authenticator(self._keys, self.signing_keys, _RULES)
        self.refresh()

    async def _read_keys(self) -> Mapping[str, ApiKey]:
        return self.keys

    async def _read_signing_keys(self) -> Mapping[str, jwt.PyJWK]:
        return {signer.key_id: jwt.PyJWK(signer.published) for signer in self.signers}

    def refresh(self) -> None:
        """Read both again."""
        asyncio.run(self._keys.refresh())
        asyncio.run(self.signing_keys.refresh())


def _gate(provider: _Provider, *, burst: int = 100, failures: int = 100) -> Gate:
    return Gate(
        provider.authenticator,
        caller_limit=RateLimit(per_second=0.001, burst=burst),
        failure_limit=RateLimit(per_second=0.001, burst=failures),
    )


def _request(
    credential: str, *, method: str = "GET", host: str = "10.0.0.1", **headers: bytes
) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    if credential:
        pairs.append((b"authorization", f"Bearer {credential}".encode()))
    return {"method": method, "headers": pairs, "client": (host, 1)}


def _wrong(key: str) -> str:
    """Return a guess at a key whose id is known."""
    return key[:-8] + ("a" * 8 if not key.endswith("a" * 8) else "b" * 8)


def test_who_may_is_let_in() -> None:
    """By key or token, for what its scopes include."""
    provider = _Provider(AccessScope.READ, AccessScope.ADMIN)
    gate = _gate(provider)
    reader, admin = provider.texts
    assert gate.admit(_request(reader), AccessScope.READ).name.startswith("key:")
    assert gate.admit(_request(admin), AccessScope.ADMIN).name.startswith("key:")
    token = provider.signers[0].token()
    assert gate.admit(_request(token), AccessScope.READ).name == "subject:alice"
    for credential in (reader, token, provider.signers[0].token(scope="openid")):
        with pytest.raises(NotAllowed):
            gate.admit(_request(credential), AccessScope.ADMIN)


def test_a_caller_may_ask_so_often() -> None:
    """Beyond its burst it waits; others don't."""
    provider = _Provider(AccessScope.READ, AccessScope.READ)
    gate = _gate(provider, burst=2)
    first, second = provider.texts
    for _ in range(2):
        gate.admit(_request(first), AccessScope.READ)
    with pytest.raises(TooManyRequests) as caught:
        gate.admit(_request(first), AccessScope.READ)
    assert 0 < caught.value.retry_after_seconds <= 1_000
    gate.admit(_request(second), AccessScope.READ)


def test_guesses_at_a_key_are_slowed() -> None:
    """Then not even the right one is tried, unless it was accepted before; nor from elsewhere."""
    provider = _Provider(AccessScope.READ, AccessScope.READ)
    gate = _gate(provider, failures=2)
    accepted, other = provider.texts
    gate.admit(_request(accepted), AccessScope.READ)
    for key in (accepted, other):
        for _ in range(2):
            with pytest.raises(NotAuthenticated):
                gate.admit(_request(_wrong(key)), AccessScope.READ)
        with pytest.raises(TooManyRequests):
            gate.admit(_request(_wrong(key)), AccessScope.READ)
    gate.admit(_request(accepted), AccessScope.READ)
    with pytest.raises(TooManyRequests):
        gate.admit(_request(other), AccessScope.READ)
    gate.admit(_request(other, host="10.0.0.2"), AccessScope.READ)


def test_who_shares_an_address_is_not_shut_out() -> None:
    """A neighbour's unknown keys, ended tokens and missing credentials cost others nothing."""
    provider = _Provider(AccessScope.READ)
    gate = _gate(provider, failures=1)
    unknown, _ = new_key("test", frozenset(), now=clock.now(), expires_at=None)
    for credential in ("", unknown, provider.signers[0].token(exp=1_000_000_000)):
        for _ in range(3):
            with pytest.raises((NotAuthenticated, TooManyRequests)):
                gate.admit(_request(credential), AccessScope.READ)
    gate.admit(_request(provider.texts[0]), AccessScope.READ)


def test_addresses_of_one_network_count_together() -> None:
    """An IPv6 customer has 2^64 of them."""
    provider = _Provider(AccessScope.READ)
    gate = _gate(provider, failures=1)
    wrong = _wrong(provider.texts[0])
    with pytest.raises(NotAuthenticated):
        gate.admit(_request(wrong, host="2001:db8::1"), AccessScope.READ)
    with pytest.raises(TooManyRequests):
        gate.admit(_request(wrong, host="2001:db8::ffff:2"), AccessScope.READ)
    with pytest.raises(NotAuthenticated):
        gate.admit(_request(wrong, host="2001:db8:0:1::1"), AccessScope.READ)


def test_a_revoked_key_ends_at_the_next_reading() -> None:
    """Though it was accepted before; the same for a token whose key the provider withdraws."""
    provider = _Provider(AccessScope.READ)
    gate = _gate(provider)
    token = provider.signers[0].token()
    for credential in (provider.texts[0], token, token):
        gate.admit(_request(credential), AccessScope.READ)
    provider.keys = {
        name: ApiKey(**{**vars(key), "revoked_at": clock.now()})
        for name, key in provider.keys.items()
    }
    provider.signers = [Signer("k2")]
    provider.refresh()
    for credential, reason in ((provider.texts[0], "revoked"), (token, "signature")):
        with pytest.raises(NotAuthenticated) as caught:
            gate.admit(_request(credential), AccessScope.READ)
        assert caught.value.reason == reason
    gate.admit(_request(provider.signers[0].token()), AccessScope.READ)


def test_another_site_can_not_use_a_browsers_credential() -> None:
    """A browser adds Basic credentials to whatever request; it tells who made it send one."""
    provider = _Provider(AccessScope.ADMIN)
    gate = _gate(provider)
    stored = _basic(f"me:{provider.texts[0]}".encode())
    for site, method in ((b"same-origin", "POST"), (b"none", "POST"), (b"cross-site", "GET")):
        request = _request("", method=method, authorization=stored, sec_fetch_site=site)
        gate.admit(request, AccessScope.ADMIN)
    for site in (b"cross-site", b"same-site"):
        request = _request("", method="POST", authorization=stored, sec_fetch_site=site)
        with pytest.raises(NotAllowed) as caught:
            gate.admit(request, AccessScope.ADMIN)
        assert caught.value.reason == "cross_site"


def test_nobody_is_told_apart_before_the_keys_are_read() -> None:
    """That is the gateway's fault, not the caller's."""

    async def fail() -> Mapping[str, ApiKey]:
        raise StoreUnavailable("down")

    keys = Refreshed("API keys", fail, interval=_LONG, shortest_interval=_LONG)
    asyncio.run(keys.refresh())
    provider = _Provider(AccessScope.READ)
    authenticator = Authenticator(keys, provider.signing_keys, None)
    gate = Gate(
        authenticator,
        caller_limit=RateLimit(per_second=0, burst=1),
        failure_limit=RateLimit(per_second=1, burst=1),
    )
    with pytest.raises(StoreUnavailable, match="API keys"):
        gate.admit(_request(provider.texts[0]), AccessScope.READ)
