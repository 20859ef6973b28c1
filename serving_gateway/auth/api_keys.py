"""
API keys: their form, and what is kept of them.

A key reads `fs_<key id>_<secret>`. The id may be shown and logged; of the whole only a hash is
kept. The secret has 256 random bits, so that a fast hash is as good as a slow one.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from foundation.errors import NotAuthenticated
from serving_gateway.auth.scopes import AccessScope, Caller, included_scopes

PREFIX = "fs_"
_FORM = re.compile(PREFIX + r"([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_ID_BYTES, _SECRET_BYTES = 6, 32
# What the digest of an unknown key is compared with, so that it takes as long as a known one.
_NO_DIGEST = bytes(32)


@dataclass(frozen=True)
class ApiKey:
    """
    What is kept of an API key.

    Attributes:
        key_id: Names it; no secret.
        name: Whose it is, or what for.
        scopes: As granted, without what they include.
        digest: SHA-256 of the whole key.
        created_at: When it was created.
        expires_at: When it ends by itself; None for never.
        revoked_at: When it was revoked; None if it was not.
    """

    key_id: str
    name: str
    scopes: frozenset[AccessScope]
    digest: bytes
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None

    @cached_property
    def caller(self) -> Caller:
        """Who asks with it."""
        return Caller(
            f"key:{self.key_id}", included_scopes(self.scopes), self.expires_at, self.name
        )

    def status(self, now: datetime) -> str:
        """Return `revoked`, `expired` or `active`."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "active"


def digest_of(credential: str) -> bytes:
    """Return the SHA-256 of a credential."""
    return hashlib.sha256(credential.encode()).digest()


def new_key(
    name: str, scopes: frozenset[AccessScope], *, now: datetime, expires_at: datetime | None
) -> tuple[str, ApiKey]:
    """Return a new key, to be told once, and what is kept of it."""
    key_id = secrets.token_hex(_ID_BYTES)
    text = f"{PREFIX}{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return text, ApiKey(key_id, name, scopes, digest_of(text), now, expires_at)


def claimed_id(credential: str) -> str | None:
    """Return the id in a credential that has the form of a key; None if it has not."""
    form = _FORM.fullmatch(credential)
    return form[1] if form else None


def verify_key(
    credential: str, digest: bytes, keys: Mapping[str, ApiKey], *, now: datetime
) -> Caller:
    """
    Return whose a key is.

    Args:
        credential: What was sent; it starts like a key.
        digest: Its SHA-256.
        keys: All keys by id.
        now: Decides whether the key has expired.

    Raises:
        NotAuthenticated: It is no key of ours, or an expired or a revoked one.
    """
    key = keys.get(claimed_id(credential) or "")
    if not hmac.compare_digest(_NO_DIGEST if key is None else key.digest, digest) or key is None:
        raise NotAuthenticated(
            "the API key is not known",
            reason="unknown",
            hint="Copy it whole, from fs_ on; a new one works within seconds of its creation.",
        )
    status = key.status(now)
    if status != "active":
        raise NotAuthenticated(
            f"the API key {key.key_id} is {status}",
            reason=status,
            hint="Ask the gateway's operator for a new one.",
        )
    return key.caller
