"""On which terms a value of the history counts, beyond being from before its entity row."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime

from foundation.errors import ContractViolation


@dataclass(frozen=True)
class Terms:
    """
    Which values count.

    Attributes:
        known_at: Nothing that was created after this aware instant; None: all that is known now.
        known_then: Nothing that was created after the entity row's own timestamp.
        history_only: Only what is kept for good. The latest values are not: the next run replaces
            them, and what was read of them could not be read again.
    """

    known_at: datetime | None = None
    known_then: bool = False
    history_only: bool = False

    @property
    def asks_when_created(self) -> bool:
        """Whether it matters when a value was written."""
        return self.known_at is not None or self.known_then


_TERMS: ContextVar[Terms] = ContextVar("terms", default=Terms())  # noqa: B039 - it is frozen


@contextlib.contextmanager
def as_known_at(instant: datetime) -> Iterator[None]:
    """
    Let historical retrievals of the block count nothing that was created after an instant.

    Feast's `get_historical_features` has no parameter for it; a job that is made within the block
    keeps the instant, wherever it is executed.

    Args:
        instant: Aware.

    Raises:
        ContractViolation: The instant is naive.
    """
    if instant.tzinfo is None:
        raise ContractViolation(
            f"as_known_at: {instant} has no time zone", hint="For example 2026-11-01T00:00+00:00."
        )
    with using(replace(_TERMS.get(), known_at=instant)):
        yield


@contextlib.contextmanager
def using(terms: Terms) -> Iterator[None]:
    """Let historical retrievals of the block follow terms."""
    token = _TERMS.set(terms)
    try:
        yield
    finally:
        _TERMS.reset(token)


def current_terms() -> Terms:
    """Return the terms of the innermost block around."""
    return _TERMS.get()
