"""How often somebody may ask: a token bucket each, of as many as fit in bounded memory."""

from collections import OrderedDict

_MOST_NAMES = 10_000


class RateLimit:
    """
    Token buckets, as the generic cell rate algorithm keeps them: one number a name.

    Args:
        per_second: How fast each bucket fills; 0 for no limit at all.
        burst: How much each holds.
        most_names: How many are remembered; whoever asked least recently is forgotten first.
    """

    def __init__(self, *, per_second: float, burst: int, most_names: int = _MOST_NAMES) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._slack = self._interval * (burst - 1)
        self._most_names = most_names
        # When each bucket will be full, had nobody taken from it since.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait(self, name: str, *, now: float) -> float:
        """
        Return how long a name's bucket stays empty; take nothing.

        Args:
            name: Whose bucket.
            now: Seconds on any clock that never goes back.
        """
        full_at = self._full_at.get(name)
        return 0.0 if full_at is None else max(0.0, full_at - now - self._slack)

    def take(self, name: str, *, now: float) -> float:
        """Take one from a name's bucket and return 0; if it is empty, return how long it stays."""
        if not self._interval:
            return 0.0
        wait = self.wait(name, now=now)
        if not wait:
            self._full_at[name] = max(self._full_at.get(name, now), now) + self._interval
            self._full_at.move_to_end(name)
            if len(self._full_at) > self._most_names:
                self._full_at.popitem(last=False)
        return wait
