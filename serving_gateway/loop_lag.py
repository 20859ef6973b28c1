"""How far behind the event loop is: time that no store can be blamed for."""

import asyncio

_TICK_SECONDS = 0.02
_KEPT_PER_TICK = 0.95


class LoopLag:
    """
    Watches how late the loop wakes what sleeps.

    Attributes:
        seconds: Greatest lag of late; it fades within a second or two.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    async def watch(self) -> None:
        """Measure again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK_SECONDS
            await asyncio.sleep(_TICK_SECONDS)
            self.seconds = max(loop.time() - due, self.seconds * _KEPT_PER_TICK)
