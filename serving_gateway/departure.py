"""From the signal to stop until the server takes no more connections."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType

from starlette.requests import Request

from foundation.settings import Settings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TICK_SECONDS = 0.02

Handler = Callable[[int, FrameType | None], object]


def lingering_seconds(settings: Settings) -> int:
    """Return how much of the time to shut down may pass before the server stops to listen."""
    return settings.shutdown_timeout_seconds // 2


class Departure:
    """
    Lets the server stop only when what was under way has been answered.

    The server would stop to listen at once, and who asks whether it is ready would get no answer.

    Args:
        limit_seconds: How long it may be kept from it.

    Attributes:
        has_begun: Whether a signal to stop has come.
    """

    def __init__(self, *, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self._under_way: set[object] = set()
        self._is_urgent = False
        self._waiting: asyncio.Task[None] | None = None
        self.has_begun = False

    def enter(self) -> object:
        """Begin a request; return what ends it."""
        turn = object()
        self._under_way.add(turn)
        return turn

    def leave(self, turn: object) -> None:
        """End a request."""
        self._under_way.discard(turn)

    @contextlib.contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Take the signals to stop in the server's place; a second one makes it stop at once."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals are no business of other threads
            return
        loop = asyncio.get_running_loop()
        servers = {each: found for each in _SIGNALS if callable(found := signal.getsignal(each))}

        def heed(number: int, _: FrameType | None) -> None:
            if self.has_begun:
                self._is_urgent = True
            else:
                self.has_begun = True
                loop.call_soon_threadsafe(wait, number)

        def wait(number: int) -> None:
            self._waiting = loop.create_task(self._depart(partial(hand_on, number)))

        def hand_on(number: int) -> None:
            restore()
            servers[signal.Signals(number)](number, None)

        def restore() -> None:
            for each, handler in servers.items():
                signal.signal(each, handler)

        for each in servers:
            signal.signal(each, heed)
        try:
            yield
        finally:
            restore()

    async def _depart(self, hand_on: Callable[[], None]) -> None:
        first = set(self._under_way)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limit_seconds):
                # An event instead would cost each request something.
                while not (self._is_urgent or first.isdisjoint(self._under_way)):  # noqa: ASYNC110
                    await asyncio.sleep(_TICK_SECONDS)
        hand_on()


def departure_of(request: Request) -> Departure:
    """Return the departure of the application that handles a request."""
    departure: Departure = request.app.state.departure
    return departure
