"""Keys and signing keys in memory, as a gateway would have read them."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import jwt

from foundation import clock
from serving_gateway.auth.api_keys import ApiKey, new_key
from serving_gateway.auth.authenticator import Authenticator
from serving_gateway.auth.gate import Gate
from serving_gateway.auth.rate_limit import RateLimit
from serving_gateway.auth.refreshed import Refreshed
from serving_gateway.auth.scopes import AccessScope
from serving_gateway.auth.tokens import TokenRules
from tests.unit.serving_gateway.auth.tokens import AUDIENCE, ISSUER, Signer

LONG = timedelta(hours=1)
_RULES = TokenRules(ISSUER, AUDIENCE, timedelta(0), "scope", {"read": AccessScope.READ})


class Memory:
    """
    An authenticator over keys that tests change.

    Args:
        scopes: Of each key.

    Attributes:
        texts: The keys themselves.
        keys: What is kept of them.
        signers: Whose tokens are accepted.
        signing_keys: What was read of those.
        authenticator: Over all of them.
    """

    def __init__(self, *scopes: AccessScope) -> None:
        now = clock.now()
        made = [new_key("test", frozenset({s}), now=now, expires_at=now + LONG) for s in scopes]
        self.texts = [text for text, _ in made]
        self.keys: Mapping[str, ApiKey] = {key.key_id: key for _, key in made}
        self.signers = [Signer("k1")]
        self._keys: Refreshed[Mapping[str, ApiKey]] = Refreshed(
            "API keys", self._read_keys, interval=LONG, shortest_interval=LONG
        )
        self.signing_keys: Refreshed[Mapping[str, jwt.PyJWK]] = Refreshed(
            "signing keys", self._read_signing_keys, interval=LONG, shortest_interval=LONG
        )
        self.authenticator = Authenticator(self._keys, self.signing_keys, _RULES)
        asyncio.run(self.refresh())

    async def _read_keys(self) -> Mapping[str, ApiKey]:
        return self.keys

    async def _read_signing_keys(self) -> Mapping[str, jwt.PyJWK]:
        return {signer.key_id: jwt.PyJWK(signer.published) for signer in self.signers}

    async def refresh(self) -> None:
        """Read both again."""
        await self._keys.refresh()
        await self.signing_keys.refresh()

    def gate(self, *, burst: int = 100, failures: int = 100) -> Gate:
        """Return a gate whose limits don't fill up again while a test runs."""
        return Gate(
            self.authenticator,
            caller_limit=RateLimit(per_second=0.001, burst=burst),
            failure_limit=RateLimit(per_second=0.001, burst=failures),
        )
