"""API keys: their form, and which are good."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from foundation.errors import NotAuthenticated
from serving_gateway.auth.api_keys import ApiKey, digest_of, new_key, verify_key
from serving_gateway.auth.scopes import AccessScope

NOW = datetime(2026, 3, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


def _new(scope: AccessScope = AccessScope.READ) -> tuple[str, ApiKey]:
    return new_key("test", frozenset({scope}), now=NOW, expires_at=NOW + _DAY)


def test_a_new_key_is_its_callers() -> None:
    """It verifies, names its id, and grants its scope."""
    text, key = _new()
    caller = verify_key(text, digest_of(text), {key.key_id: key}, now=NOW)
    assert caller.name == f"key:{key.key_id}"
    assert caller.scopes == {AccessScope.READ}


def test_admin_includes_read() -> None:
    """Who may change may read."""
    text, key = _new(AccessScope.ADMIN)
    caller = verify_key(text, digest_of(text), {key.key_id: key}, now=NOW)
    assert caller.scopes == {AccessScope.READ, AccessScope.ADMIN}


def test_of_a_key_only_its_hash_is_kept() -> None:
    """Nothing of the secret is in what is stored; no two keys are alike."""
    text, key = _new()
    secret = text.split("_", 2)[2]
    assert secret not in repr(key)
    assert len(secret) == 43
    assert _new()[0] != text


@pytest.mark.parametrize(
    ("at", "revoked_at", "reason"),
    [
        (NOW + _DAY, None, "expired"),
        (NOW + _DAY - timedelta(microseconds=1), NOW, "revoked"),
        (NOW + 2 * _DAY, NOW, "revoked"),
    ],
)
def test_an_ended_key_is_refused(at: datetime, revoked_at: datetime | None, reason: str) -> None:
    """From the instant at which it expires, or at once when it is revoked."""
    text, key = new_key("test", frozenset(), now=NOW, expires_at=NOW + _DAY)
    ended = replace(key, revoked_at=revoked_at)
    with pytest.raises(NotAuthenticated) as caught:
        verify_key(text, digest_of(text), {key.key_id: ended}, now=at)
    assert caught.value.reason == reason
    assert text not in str(caught.value)


def test_what_is_no_key_is_refused() -> None:
    """Another secret, another id, another case, or something around it."""
    text, key = _new()
    other, _ = _new()
    for wrong in (
        other,
        text[:17] + other[17:],
        other[:17] + text[17:],
        text.upper(),
        text + "a",
        text[:-1],
        text + "\n",
        "fs_",
        f"fs_{key.key_id}_",
        f"fs_' OR '1'='1_{text[17:]}",
    ):
        with pytest.raises(NotAuthenticated) as caught:
            verify_key(wrong, digest_of(wrong), {key.key_id: key}, now=NOW)
        assert caught.value.reason == "unknown"
