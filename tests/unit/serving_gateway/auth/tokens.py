"""An identity provider's keys, and tokens signed with them."""

import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

ISSUER = "https://login.example.com"
AUDIENCE = "features"


class Signer:
    """
    A private key, and what is published of it.

    Args:
        key_id: `kid` of its tokens.
    """

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)

    @property
    def published(self) -> dict[str, Any]:
        """The public half, as a JSON Web Key."""
        key: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(
            self._key.public_key(), as_dict=True
        )
        return {**key, "kid": self.key_id, "alg": "RS256", "use": "sig"}

    def token(self, *, algorithm: str = "RS256", **changes: object) -> str:
        """Return a token that is good but for the changed claims; None removes one."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "alice",
            "exp": int(time.time()) + 600,
            "scope": "openid read",
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self._key, algorithm, {"kid": self.key_id})
