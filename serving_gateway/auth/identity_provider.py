"""The keys with which an identity provider signs its tokens."""

import asyncio
from collections.abc import Mapping

import jwt

from foundation.errors import StoreUnavailable

_TIMEOUT_SECONDS = 5.0


async def read_signing_keys(url: str) -> Mapping[str, jwt.PyJWK]:
    """
    Return the provider's public keys by their ids.

    Args:
        url: Of its JSON Web Key Set.

    Raises:
        StoreUnavailable: It can't be reached, or what it answers holds no key.
    """
    client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS)
    try:
        keys = await asyncio.to_thread(client.get_signing_keys)
    except (jwt.PyJWTError, OSError, ValueError) as error:
        raise StoreUnavailable(
            f"identity provider: {error}", hint="Is FEATURE_STORE_OIDC_JWKS_URL right?"
        ) from error
    return {key.key_id: key for key in keys if key.key_id is not None}
