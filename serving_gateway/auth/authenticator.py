"""From a credential to a caller, by what is in memory: nothing here waits for a server."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import jwt

from foundation.errors import NotAuthenticated
from foundation.settings import Settings
from serving_gateway.auth import api_keys
from serving_gateway.auth.api_keys import ApiKey, claimed_id, verify_key
from serving_gateway.auth.identity_provider import read_signing_keys
from serving_gateway.auth.key_table import read_keys
from serving_gateway.auth.refreshed import Refreshed
from serving_gateway.auth.scopes import Caller
from serving_gateway.auth.tokens import TokenRules, key_id_of, token_rules, verify_token

_MOST_TOKENS = 10_000
# However many tokens name unknown keys, the provider is not asked more often.
_SHORTEST_INTERVAL = timedelta(seconds=2)


class Authenticator:
    """
    Verifies API keys and tokens.

    Args:
        keys: API keys by id.
        signing_keys: The identity provider's keys by id.
        rules: Which tokens are accepted; None for none.
    """

    def __init__(
        self,
        keys: Refreshed[Mapping[str, ApiKey]],
        signing_keys: Refreshed[Mapping[str, jwt.PyJWK]],
        rules: TokenRules | None,
    ) -> None:
        self._keys = keys
        self._signing_keys = signing_keys
        self._rules = rules
        # Verified tokens, with the keys that verified them: a signature costs more than all else.
        self._verified: OrderedDict[bytes, tuple[jwt.PyJWK, Caller]] = OrderedDict()

    def identify(self, credential: str, digest: bytes, *, now: datetime) -> Caller:
        """
        Return who asks.

        Args:
            credential: An API key or a token.
            digest: Its SHA-256.
            now: Decides whether it has expired.

        Raises:
            NotAuthenticated: The credential is not good.
            StoreUnavailable: What it would be compared with could not be read even once.
        """
        if credential.startswith(api_keys.PREFIX):
            return verify_key(credential, digest, self._keys.current, now=now)
        if self._rules is None:
            raise NotAuthenticated(
                "the credential is no API key",
                reason="malformed",
                hint="An API key starts with fs_; tokens are not accepted here.",
            )
        return self._identify_token(credential, digest, self._rules, now)

    def target_of(self, credential: str) -> str:
        """Return what a wrong credential is a guess at: the id of a key, `token` or `other`."""
        if not credential.startswith(api_keys.PREFIX):
            return "token"
        key_id = claimed_id(credential)
        return key_id if key_id is not None and key_id in self._keys.current else "other"

    def can_verify(self, credential: str) -> bool:
        """Tell whether a credential is a token that names a published key."""
        if self._rules is None or credential.startswith(api_keys.PREFIX):
            return False
        try:
            return self._signing_key(key_id_of(credential)) is not None
        except NotAuthenticated:
            return False

    @property
    def is_ready(self) -> bool:
        """Whether callers can be told apart: until the API keys have been read, nobody can."""
        return self._keys.is_loaded

    def api_keys_age_seconds(self) -> float:
        """Return the time since the API keys were read."""
        return self._keys.age_seconds()

    def _identify_token(
        self, token: str, digest: bytes, rules: TokenRules, now: datetime
    ) -> Caller:
        known = self._verified.get(digest)
        if known is not None:
            key, caller = known
            # Keys are read anew; one that the provider withdrew takes its tokens with it.
            is_current = self._signing_key(str(key.key_id)) is key
            if is_current and caller.expires_at is not None and now < caller.expires_at:
                self._verified.move_to_end(digest)
                return caller
            del self._verified[digest]
        signing_key = self._signing_key(key_id_of(token))
        if signing_key is None:
            raise NotAuthenticated(
                "the token is signed with a key that its issuer does not publish",
                reason="signature",
                hint="If the key is new, ask again in a few seconds.",
            )
        caller = verify_token(token, signing_key, rules)
        self._verified[digest] = (signing_key, caller)
        if len(self._verified) > _MOST_TOKENS:
            self._verified.popitem(last=False)
        return caller

    def _signing_key(self, key_id: str) -> jwt.PyJWK | None:
        """Return one of the provider's keys; if there is no such key, have them read soon."""
        key = self._signing_keys.current.get(key_id)
        if key is None:
            self._signing_keys.hurry()
        return key

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read what credentials are compared with, and go on doing so until the block ends."""
        parts: list[Refreshed[Any]] = [self._keys]
        if self._rules is not None:
            parts.append(self._signing_keys)
        await asyncio.gather(*(part.refresh() for part in parts))
        refreshing = asyncio.gather(*(part.refresh_forever() for part in parts))
        try:
            yield
        finally:
            refreshing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await refreshing


def build_authenticator(settings: Settings) -> Authenticator:
    """Return the authenticator that the settings describe; nothing is opened before it runs."""
    key_interval = timedelta(seconds=settings.credential_refresh_seconds)
    return Authenticator(
        Refreshed(
            "API keys",
            partial(read_keys, settings),
            interval=key_interval,
            shortest_interval=key_interval,
        ),
        Refreshed(
            "identity provider's keys",
            partial(read_signing_keys, str(settings.oidc_jwks_url)),
            interval=timedelta(seconds=settings.oidc_refresh_seconds),
            shortest_interval=_SHORTEST_INTERVAL,
        ),
        token_rules(settings),
    )
