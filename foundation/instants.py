"""Instants and days as users type them."""

from datetime import UTC, date, datetime

from foundation.errors import ConfigurationError


def parse_instant(text: str, *, option: str, now: datetime | None) -> datetime:
    """
    Return an ISO 8601 text as an aware instant; UTC unless it says otherwise.

    Args:
        text: For example 2026-11-01T00:00.
        option: Where the text comes from, for the error.
        now: Instants after it are refused; None: none is.

    Raises:
        ConfigurationError: The text is no instant, or lies in the future.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{option}: {text!r} is not an ISO 8601 instant", hint="For example 2026-11-01T00:00."
        ) from error
    instant = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    if now is not None and instant > now:
        raise ConfigurationError(f"{option}: {text} lies in the future")
    return instant.astimezone(UTC)


def parse_day(text: str, *, option: str) -> date:
    """
    Return an ISO 8601 text as a day.

    Args:
        text: For example 2026-11-01.
        option: Where the text comes from, for the error.

    Raises:
        ConfigurationError: The text is no day.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{option}: {text!r} is no day", hint="For example 2026-11-01."
        ) from error
