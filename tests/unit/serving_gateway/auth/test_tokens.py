"""Tokens: only those that the provider signed, for us, now."""

import base64
import time
from datetime import timedelta
from typing import Any

import jwt
import orjson
import pytest

from foundation.errors import NotAuthenticated
from serving_gateway.auth.scopes import AccessScope, Caller
from serving_gateway.auth.tokens import TokenRules, key_id_of, verify_token
from tests.unit.serving_gateway.auth.tokens import AUDIENCE, ISSUER, Signer

_SIGNER = Signer("k1")
_KEY = jwt.PyJWK(_SIGNER.published)
_RULES = TokenRules(
    issuer=ISSUER,
    audience=AUDIENCE,
    leeway=timedelta(seconds=30),
    scope_claim="scope",
    scopes={"read": AccessScope.READ, "features.admin": AccessScope.ADMIN},
)


def _verify(token: str) -> Caller:
    assert key_id_of(token) == "k1"
    return verify_token(token, _KEY, _RULES)


@pytest.mark.parametrize(
    ("claim", "scopes"),
    [
        ("openid read", {AccessScope.READ}),
        (["read"], {AccessScope.READ}),
        ("features.admin", {AccessScope.READ, AccessScope.ADMIN}),
        ("admin reader", set()),
        (["read write", 7], set()),
        ({"read": True}, set()),
        (None, set()),
    ],
)
def test_scopes_come_from_the_claim(claim: object, scopes: set[AccessScope]) -> None:
    """Words of a text or a list that the rules know; nothing else grants anything."""
    caller = _verify(_SIGNER.token(scope=claim))
    assert caller.name == "subject:alice"
    assert caller.scopes == scopes


def test_clocks_may_differ_a_little() -> None:
    """Within the leeway an expired token is good; it is kept no longer than that."""
    ended = int(time.time()) - 10
    caller = _verify(_SIGNER.token(exp=ended))
    assert caller.expires_at is not None
    assert caller.expires_at.timestamp() == ended + 30
    assert _verify(_SIGNER.token(exp=10**15)).expires_at is not None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": 1_000_000_000}, "expired"),
        ({"nbf": 9_000_000_000}, "expired"),
        ({"iss": "https://evil.example.com"}, "issuer"),
        ({"aud": "another"}, "audience"),
        ({"exp": None}, "malformed"),
        ({"sub": None}, "malformed"),
        ({"aud": None}, "malformed"),
        ({"exp": float("inf")}, "signature"),
        ({"exp": "soon"}, "signature"),
    ],
)
def test_a_token_for_others_or_another_time_is_refused(
    changes: dict[str, Any], reason: str
) -> None:
    """Its signature is good, its claims are not."""
    with pytest.raises(NotAuthenticated) as caught:
        _verify(_SIGNER.token(**changes))
    assert caught.value.reason == reason


def test_a_token_of_another_key_is_refused() -> None:
    """Though it says that it is signed with ours; and so is one that was changed."""
    good = _SIGNER.token()
    head, _, signature = good.split(".")
    grand = base64.urlsafe_b64encode(orjson.dumps({"scope": "features.admin"})).rstrip(b"=")
    for token in (
        Signer("k1").token(),
        f"{head}.{grand.decode()}.{signature}",
        good[:-8] + "AAAAAAAA",
    ):
        with pytest.raises(NotAuthenticated) as caught:
            _verify(token)
        assert caught.value.reason == "signature"


def test_only_asymmetric_signatures_count() -> None:
    """Neither none nor a signature with what is public."""
    unsigned = jwt.encode({"sub": "alice"}, "", "none", {"kid": "k1"})
    public = jwt.encode({"sub": "alice"}, str(_SIGNER.published["n"]), "HS256", {"kid": "k1"})
    for token in (unsigned, public):
        with pytest.raises(NotAuthenticated) as caught:
            key_id_of(token)
        assert caught.value.reason == "algorithm"
    with pytest.raises(NotAuthenticated):
        _verify(_SIGNER.token(algorithm="RS512"))  # the key is published for RS256


def _header(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token",
    [
        "abc",
        "..",
        "a.b.c",
        _header(b"[" * 10_000) + ".e30.e30",
        _header(b"[1]") + ".e30.e30",
        _header(b'{"alg":["RS256"],"kid":"k1"}') + ".e30.e30",
        _header(b'{"alg":"RS256"}') + ".e30.e30",
        _header(b'{"alg":"RS256","kid":{"a":1}}') + ".e30.e30",
        _header(b"\xff\xfe") + ".e30.e30",
    ],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    """However it is malformed."""
    with pytest.raises(NotAuthenticated):
        key_id_of(token)
