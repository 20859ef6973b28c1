"""Something that is read again and again in the background, and kept when it can't be."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

import structlog

from foundation import clock
from foundation.errors import FeatureStoreError, StoreUnavailable

_log = structlog.get_logger()

T = TypeVar("T")


class Refreshed(Generic[T]):
    """
    Holds the newest of something that could be read.

    Args:
        what: Names it in messages, such as "API keys".
        read: Reads it, within a time limit of its own.
        interval: Time between two readings.
        shortest_interval: The same, when somebody hurries.
    """

    def __init__(
        self,
        what: str,
        read: Callable[[], Awaitable[T]],
        *,
        interval: timedelta,
        shortest_interval: timedelta,
    ) -> None:
        self._what = what
        self._read = read
        self._interval = interval
        self._shortest_interval = shortest_interval
        self._value: T | None = None
        self._read_at = clock.now()
        self._failing = False
        self._hurry = asyncio.Event()

    @property
    def current(self) -> T:
        """
        The newest.

        Raises:
            StoreUnavailable: It could not be read even once.
        """
        if self._value is None:
            raise StoreUnavailable(
                f"the {self._what} have not been read yet",
                hint="The gateway keeps trying; its log tells why.",
            )
        return self._value

    @property
    def is_loaded(self) -> bool:
        """Whether it has been read at least once."""
        return self._value is not None

    def age_seconds(self) -> float:
        """Return the time since it was read, or since the start if it never was."""
        return (clock.now() - self._read_at).total_seconds()

    def hurry(self) -> None:
        """Have it read soon, because something was missing."""
        self._hurry.set()

    async def refresh(self) -> None:
        """Read it; if that fails, keep what there is, and say so once."""
        try:
            self._value = await self._read()
        except Exception as error:  # noqa: BLE001 - whatever a server answers, the next may be better
            if not self._failing:
                known = isinstance(error, FeatureStoreError)
                _log.error(
                    "credentials_not_refreshed",
                    what=self._what,
                    error=str(error) if known else None,
                    exc_info=None if known else error,
                )
            self._failing = True
        else:
            if self._failing:
                _log.info("credentials_refreshed_again", what=self._what)
            self._failing = False
            self._read_at = clock.now()

    async def refresh_forever(self) -> None:
        """Read it again and again, until cancelled."""
        shortest = self._shortest_interval.total_seconds()
        rest = self._interval.total_seconds() - shortest
        while True:
            await asyncio.sleep(shortest)
            if not self._failing:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), rest)
            self._hurry.clear()
            await self.refresh()
