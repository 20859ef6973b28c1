"""The gate lets in who may, as often as they may."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from foundation import clock
from foundation.errors import NotAllowed, NotAuthenticated, StoreUnavailable, TooManyRequests
from serving_gateway.auth.api_keys import ApiKey, new_key
from serving_gateway.auth.authenticator import Authenticator
from serving_gateway.auth.gate import Gate
from serving_gateway.auth.rate_limit import RateLimit
from serving_gateway.auth.refreshed import Refreshed
from serving_gateway.auth.scopes import AccessScope
from tests.unit.serving_gateway.auth.memory import LONG, Memory
from tests.unit.serving_gateway.auth.test_credentials import _basic
from tests.unit.serving_gateway.auth.tokens import Signer


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
    memory = Memory(AccessScope.READ, AccessScope.ADMIN)
    gate = memory.gate()
    reader, admin = memory.texts
    assert gate.admit(_request(reader), AccessScope.READ).name.startswith("key:")
    assert gate.admit(_request(admin), AccessScope.ADMIN).name.startswith("key:")
    token = memory.signers[0].token()
    assert gate.admit(_request(token), AccessScope.READ).name == "subject:alice"
    for credential in (reader, token, memory.signers[0].token(scope="openid")):
        with pytest.raises(NotAllowed):
            gate.admit(_request(credential), AccessScope.ADMIN)


def test_a_caller_may_ask_so_often() -> None:
    """Beyond its burst it waits; others don't."""
    memory = Memory(AccessScope.READ, AccessScope.READ)
    gate = memory.gate(burst=2)
    first, second = memory.texts
    for _ in range(2):
        gate.admit(_request(first), AccessScope.READ)
    with pytest.raises(TooManyRequests) as caught:
        gate.admit(_request(first), AccessScope.READ)
    assert 0 < caught.value.retry_after_seconds <= 1_000
    gate.admit(_request(second), AccessScope.READ)


def test_guesses_at_a_key_are_slowed() -> None:
    """Then not even the right one is tried, unless it was accepted before; nor from elsewhere."""
    memory = Memory(AccessScope.READ, AccessScope.READ)
    gate = memory.gate(failures=2)
    accepted, other = memory.texts
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
    memory = Memory(AccessScope.READ)
    gate = memory.gate(failures=1)
    unknown, _ = new_key("test", frozenset(), now=clock.now(), expires_at=None)
    for credential in ("", unknown, memory.signers[0].token(exp=1_000_000_000)):
        for _ in range(3):
            with pytest.raises((NotAuthenticated, TooManyRequests)):
                gate.admit(_request(credential), AccessScope.READ)
    gate.admit(_request(memory.texts[0]), AccessScope.READ)


def test_guesses_do_not_shut_out_good_tokens() -> None:
    """Whatever came from their address; those that name a published key are verified first."""
    memory = Memory(AccessScope.READ)
    gate = memory.gate(failures=1)
    unknown, _ = new_key("test", frozenset(), now=clock.now(), expires_at=None)
    forged = Signer("k1").token()
    for wrong in (unknown, "guess", Signer("k9").token(), forged):
        with pytest.raises((NotAuthenticated, TooManyRequests)):
            gate.admit(_request(wrong), AccessScope.READ)
    with pytest.raises(TooManyRequests):
        gate.admit(_request(forged), AccessScope.READ)
    token = memory.signers[0].token(sub="somebody new")
    assert gate.admit(_request(token), AccessScope.READ).name == "subject:somebody new"


def test_addresses_of_one_network_count_together() -> None:
    """An IPv6 customer has 2^64 of them."""
    memory = Memory(AccessScope.READ)
    gate = memory.gate(failures=1)
    wrong = _wrong(memory.texts[0])
    with pytest.raises(NotAuthenticated):
        gate.admit(_request(wrong, host="2001:db8::1"), AccessScope.READ)
    with pytest.raises(TooManyRequests):
        gate.admit(_request(wrong, host="2001:db8::ffff:2"), AccessScope.READ)
    with pytest.raises(NotAuthenticated):
        gate.admit(_request(wrong, host="2001:db8:0:1::1"), AccessScope.READ)


def test_a_revoked_key_ends_at_the_next_reading() -> None:
    """Though it was accepted before; the same for a token whose key the provider withdraws."""
    memory = Memory(AccessScope.READ)
    gate = memory.gate()
    token = memory.signers[0].token()
    for credential in (memory.texts[0], token, token):
        gate.admit(_request(credential), AccessScope.READ)
    memory.keys = {name: replace(key, revoked_at=clock.now()) for name, key in memory.keys.items()}
    memory.signers = [Signer("k2")]
    asyncio.run(memory.refresh())
    for credential, reason in ((memory.texts[0], "revoked"), (token, "signature")):
        with pytest.raises(NotAuthenticated) as caught:
            gate.admit(_request(credential), AccessScope.READ)
        assert caught.value.reason == reason
    gate.admit(_request(memory.signers[0].token()), AccessScope.READ)


def test_another_site_can_not_use_a_browsers_credential() -> None:
    """A browser adds Basic credentials to whatever request; it tells who made it send one."""
    memory = Memory(AccessScope.ADMIN)
    gate = memory.gate()
    stored = _basic(f"me:{memory.texts[0]}".encode())
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

    keys = Refreshed("API keys", fail, interval=LONG, shortest_interval=LONG)
    asyncio.run(keys.refresh())
    memory = Memory(AccessScope.READ)
    authenticator = Authenticator(keys, memory.signing_keys, None)
    gate = Gate(
        authenticator,
        caller_limit=RateLimit(per_second=0, burst=1),
        failure_limit=RateLimit(per_second=1, burst=1),
    )
    with pytest.raises(StoreUnavailable, match="API keys"):
        gate.admit(_request(memory.texts[0]), AccessScope.READ)
