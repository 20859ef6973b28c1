"""What a credential allows: to read, or to administer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AccessScope(StrEnum):
    """What a credential allows; admin includes read."""

    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """
    Who asks, as a verified credential tells.

    Attributes:
        name: `key:` and the key's id, or `subject:` and that of a token; for logs and rate limits.
        scopes: What it allows, what admin includes too.
        expires_at: When the credential ends; None for never.
    """

    name: str
    scopes: frozenset[AccessScope]
    expires_at: datetime | None


def included_scopes(names: Iterable[str]) -> frozenset[AccessScope]:
    """Return the scopes that these names grant; those of other services grant nothing."""
    named = set(names)
    granted = frozenset(scope for scope in AccessScope if scope in named)
    return frozenset(AccessScope) if AccessScope.ADMIN in granted else granted
