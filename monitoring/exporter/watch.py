"""Read each part again and again in the background, so that a scrape never waits for a store."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from foundation import clock
from foundation.errors import FeatureStoreError
from monitoring.exporter.picture import Part, Picture

_log = structlog.get_logger()

_WITHOUT_CATALOG = timedelta(seconds=1)

Read = Callable[[Picture, datetime], Mapping[str, Any]]


@dataclass(frozen=True)
class Reading:
    """
    One part of the picture.

    Attributes:
        name: Of the part.
        interval: How often it is read.
        read: Returns new values of the picture's fields, given the picture and the current instant.
    """

    name: str
    interval: timedelta
    read: Read


class Watch:
    """
    Keeps the picture up to date; what can't be read keeps its last values.

    Args:
        readings: Each is made in a thread of its own; none holds back another. One that failed is
            made again at the shortest of their intervals, however seldom it is made else: a blip is
            not to be told for long.
    """

    def __init__(self, *readings: Reading) -> None:
        self._readings = readings
        self._shortest = min(reading.interval for reading in readings)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._picture = Picture(parts={r.name: Part(r.interval) for r in readings})

    @property
    def picture(self) -> Picture:
        """The current picture."""
        return self._picture

    def start(self) -> None:
        """Start reading, each part at its interval."""
        for reading in self._readings:
            thread = threading.Thread(target=self._repeat, args=[reading], daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop reading; a reading under way is left to itself."""
        self._stop.set()

    def read_all(self) -> None:
        """Read every part once, in order."""
        for reading in self._readings:
            self._read(reading)

    def _repeat(self, reading: Reading) -> None:
        while True:
            self._read(reading)
            if self._stop.wait(self._pause(reading).total_seconds()):
                return

    def _pause(self, reading: Reading) -> timedelta:
        if self._picture.catalog is None:
            # Most parts need it; until it is there they ask more often.
            return min(_WITHOUT_CATALOG, reading.interval)
        failed = self._picture.parts[reading.name].failed
        return self._shortest if failed else reading.interval

    def _read(self, reading: Reading) -> None:
        now = clock.now()
        try:
            found = reading.read(self._picture, now)
        except Exception as error:  # noqa: BLE001 - a mistake in one part must not end the others
            message = error.message if isinstance(error, FeatureStoreError) else str(error)
            with self._lock:
                part = self._picture.parts[reading.name]
                if not part.failed:  # once, and not every second of an outage
                    _log.warning("part_not_read", part=reading.name, error=message)
                self._keep(
                    reading.name, replace(part, failed=True, error_count=part.error_count + 1), {}
                )
            return
        with self._lock:
            part = self._picture.parts[reading.name]
            if part.failed:
                _log.info("part_read_again", part=reading.name)
            self._keep(reading.name, replace(part, failed=False, read_at=now), found)

    def _keep(self, name: str, part: Part, found: Mapping[str, Any]) -> None:
        parts = {**self._picture.parts, name: part}
        self._picture = replace(self._picture, parts=parts, **found)
