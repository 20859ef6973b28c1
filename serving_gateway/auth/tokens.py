"""Tokens of an identity provider: signed JWTs, as OpenID Connect and OAuth 2 issue them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from foundation.errors import NotAuthenticated
from foundation.settings import Settings
from serving_gateway.auth.scopes import AccessScope, Caller, included_scopes

# Asymmetric only: with a shared secret, whoever can verify a token can make one.
_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
# A token that claims to end later than a datetime can hold.
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_REQUIRED = ["exp", "iss", "aud", "sub"]


@dataclass(frozen=True)
class TokenRules:
    """
    Which tokens are accepted, and what they allow.

    Attributes:
        issuer: What `iss` must be.
        audience: What `aud` must be or contain.
        leeway: How far clocks may differ.
        scope_claim: The claim that holds scopes, as a list or a text separated by spaces.
        scopes: Which of its words grants which scope.
    """

    issuer: str
    audience: str
    leeway: timedelta
    scope_claim: str
    scopes: Mapping[str, AccessScope]


def token_rules(settings: Settings) -> TokenRules | None:
    """Return the rules that the settings make; None if they name no identity provider."""
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    return TokenRules(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        leeway=timedelta(seconds=settings.oidc_leeway_seconds),
        scope_claim=settings.oidc_scope_claim,
        scopes={
            settings.oidc_read_scope: AccessScope.READ,
            settings.oidc_admin_scope: AccessScope.ADMIN,
        },
    )


def key_id_of(token: str) -> str:
    """
    Return the id of the key that a token says it is signed with.

    Raises:
        NotAuthenticated: It is no token, or not signed in an accepted way.
    """
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError):  # a header may be nested deeply
        raise NotAuthenticated(
            "the credential is neither an API key nor a token",
            reason="malformed",
            hint="An API key starts with fs_; a token is a signed JWT.",
        ) from None
    if header.get("alg") not in _ALGORITHMS:
        raise _refusal("is not signed with an accepted algorithm", "algorithm")
    if not isinstance(header.get("kid"), str):
        raise _refusal("does not name the key it is signed with (kid)", "signature")
    return str(header["kid"])


def verify_token(token: str, key: jwt.PyJWK, rules: TokenRules) -> Caller:
    """
    Return whose a token is.

    Raises:
        NotAuthenticated: Its signature is wrong, it has expired, or it is from or for others.
    """
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=_ALGORITHMS,
            issuer=rules.issuer,
            audience=rules.audience,
            leeway=rules.leeway,
            options={"require": _REQUIRED, "enforce_minimum_key_length": True},
        )
    except jwt.ExpiredSignatureError:
        raise _refusal("has expired", "expired") from None
    except jwt.ImmatureSignatureError:
        raise _refusal("is not valid yet", "expired") from None
    except jwt.InvalidIssuerError:
        raise _refusal("is from another issuer (iss)", "issuer") from None
    except jwt.InvalidAudienceError:
        raise _refusal("is for another audience (aud)", "audience") from None
    except jwt.MissingRequiredClaimError as error:
        raise _refusal(f"lacks the claim {error.claim}", "malformed") from None
    except (jwt.PyJWTError, OverflowError, RecursionError, ValueError):
        raise _refusal("has a wrong signature or claims", "signature") from None
    words = _words(claims.get(rules.scope_claim))
    seconds = min(int(claims["exp"]), _LATEST.timestamp())
    expires_at = datetime.fromtimestamp(seconds, UTC) + rules.leeway
    scopes = included_scopes(rules.scopes[word] for word in words if word in rules.scopes)
    return Caller(f"subject:{claims['sub']}", scopes, expires_at)


def _words(claim: Any) -> list[str]:  # noqa: ANN401 - whatever the provider put there
    if isinstance(claim, str):
        return claim.split()
    return [word for word in claim if isinstance(word, str)] if isinstance(claim, list) else []


def _refusal(what: str, reason: str) -> NotAuthenticated:
    return NotAuthenticated(
        f"the token {what}",
        reason=reason,
        hint="Ask the identity provider for a new token, meant for this gateway.",
    )
