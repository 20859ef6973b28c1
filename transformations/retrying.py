"""Which failures of a job are worth another attempt, and when."""

from collections.abc import Callable

from foundation.errors import StoreUnavailable
from foundation.settings import Settings


def retry_decision(settings: Settings) -> Callable[[Exception], bool | float]:
    """
    Return what stamina asks after each failed attempt of one job.

    Only a store that can't be reached is tried again, after the delays of the settings: bad data,
    a wrong schema or a wrong configuration would fail the same way.

    Returns:
        A function that gives the seconds until the next attempt, or False for none.
    """
    delays = iter(settings.retry_delays_seconds)

    def decide(error: Exception) -> bool | float:
        return next(delays, False) if isinstance(error, StoreUnavailable) else False

    return decide
