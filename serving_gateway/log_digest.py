"""Frequent events as one log line each, every few seconds: misses may storm, logs may not."""

import asyncio
from collections import Counter

import structlog

_log = structlog.get_logger()

_INTERVAL_SECONDS = 5.0


class LogDigest:
    """Adds up events of the same kind until they are logged."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def add(self, event: str, count: int = 1, **fields: str) -> None:
        """Count an event; its fields must be few, and name no entity."""
        self._counts[event, tuple(fields.items())] += count

    def flush(self) -> None:
        """Log what has been counted."""
        counts, self._counts = self._counts, Counter()
        for (event, fields), count in counts.items():
            _log.info(event, count=count, **dict(fields))

    async def flush_forever(self) -> None:
        """Log every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            self.flush()
