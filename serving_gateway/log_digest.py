"""Frequent events as one log line each, every few seconds: misses may storm, logs may not."""

import asyncio
from collections import Counter

import structlog

_log = structlog.get_logger()

_INTERVAL_SECONDS = 5.0

_Kind = tuple[str, tuple[tuple[str, str], ...]]


class LogDigest:
    """Adds up events of the same kind until they are logged."""

    def __init__(self) -> None:
        self._counts: Counter[_Kind] = Counter()
        self._errors: dict[_Kind, Exception] = {}

    def add(self, event: str, count: int = 1, **fields: str) -> None:
        """Count an event; its fields must be few, and name no entity."""
        self._counts[event, tuple(fields.items())] += count

    def add_error(self, event: str, error: Exception, **fields: str) -> None:
        """Count what nobody foresaw; of each kind the first is logged with its traceback."""
        kind = event, tuple(fields.items())
        self._counts[kind] += 1
        self._errors.setdefault(kind, error)

    def flush(self) -> None:
        """Log what has been counted."""
        counts, self._counts = self._counts, Counter()
        errors, self._errors = self._errors, {}
        for kind, count in counts.items():
            event, fields = kind
            if kind in errors:
                _log.error(event, count=count, exc_info=errors[kind], **dict(fields))
            else:
                _log.info(event, count=count, **dict(fields))

    async def flush_forever(self) -> None:
        """Log every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            self.flush()
