"""What a credential allows: to read, or to administer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property


class AccessScope(StrEnum):
    """What a credential allows; admin includes read."""

    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """
    Who asks, as a verified credential tells.

    Attributes:
        name: `key:` and the key's id, or `subject:` and that of a token.
        scopes: What it allows, what admin includes too.
        expires_at: When the credential ends; None for never.
        label: What its owner calls the key; empty for a token.
    """

    name: str
    scopes: frozenset[AccessScope]
    expires_at: datetime | None
    label: str = ""

    @cached_property
    def logged_as(self) -> str:
        """How the log names the caller."""
        return f"{self.name} ({self.label})" if self.label else self.name


def included_scopes(names: Iterable[str]) -> frozenset[AccessScope]:
    """Return the scopes that these names grant; those of other services grant nothing."""
    named = set(names)
    granted = frozenset(scope for scope in AccessScope if scope in named)
    return frozenset(AccessScope) if AccessScope.ADMIN in granted else granted
