"""How long a caller waits."""

import time


class Deadline:
    """
    An instant after which nobody waits for an answer.

    Args:
        seconds: From now; None: the caller sets no limit.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._at = None if seconds is None else time.monotonic() + seconds

    def limit(self, seconds: float) -> float:
        """Return the shorter of a time and what is left, in seconds; 0 if nothing is."""
        if self._at is None:
            return seconds
        return max(min(seconds, self._at - time.monotonic()), 0.0)


NO_DEADLINE = Deadline()
