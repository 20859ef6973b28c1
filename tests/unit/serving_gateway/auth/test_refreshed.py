"""What is read in the background is kept when it can't be."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from foundation.errors import StoreUnavailable
from serving_gateway.auth.refreshed import Refreshed

_SOON = timedelta(milliseconds=1)
_LATE = timedelta(hours=1)


class _Source:
    """Counts its readings; fails while told to."""

    def __init__(self) -> None:
        self.readings = 0
        self.error: Exception | None = None
        self.read_again = asyncio.Event()

    async def read(self) -> int:
        """Return how often it was read."""
        self.readings += 1
        self.read_again.set()
        if self.error is not None:
            raise self.error
        return self.readings


async def test_the_last_value_is_kept() -> None:
    """Through any failure, which is logged once, as is its end."""
    source = _Source()
    part = Refreshed("numbers", source.read, interval=_LATE, shortest_interval=_SOON)
    with pytest.raises(StoreUnavailable, match="numbers"):
        _ = part.current
    with capture_logs() as logs:
        await part.refresh()
        source.error = StoreUnavailable("down")
        await part.refresh()
        source.error = ValueError("garbage")
        await part.refresh()
        assert part.current == 1
        assert part.age_seconds() >= 0
        source.error = None
        await part.refresh()
    assert part.current == 4
    assert [log["event"] for log in logs] == [
        "credentials_not_refreshed",
        "credentials_refreshed_again",
    ]


async def test_what_failed_is_tried_again_soon() -> None:
    """Not only when its interval is over."""
    source = _Source()
    part = Refreshed("numbers", source.read, interval=_LATE, shortest_interval=_SOON)
    source.error = StoreUnavailable("down")
    await part.refresh()
    await _await_reading(part, source)


async def test_it_is_read_early_when_somebody_hurries() -> None:
    """Something that was asked for may be there by now."""
    source = _Source()
    part = Refreshed("numbers", source.read, interval=_LATE, shortest_interval=_SOON)
    await part.refresh()
    part.hurry()
    await _await_reading(part, source)


async def _await_reading(part: Refreshed[int], source: _Source) -> None:
    source.read_again.clear()
    task = asyncio.create_task(part.refresh_forever())
    async with asyncio.timeout(10):
        await source.read_again.wait()
    task.cancel()
