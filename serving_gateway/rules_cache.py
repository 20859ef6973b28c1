"""The serving rules in memory: read again when their file changes, kept when it is wrong."""

import asyncio
from datetime import timedelta
from pathlib import Path

import structlog

from feature_repo.registry.rules_file import read_rules
from feature_repo.registry.serving_rules import ServingRules
from foundation.errors import FeatureStoreError
from serving_gateway.threads import Threads

_log = structlog.get_logger()

_NO_RULES = ServingRules()


class RulesCache:
    """
    Holds the newest rules that could be read.

    Args:
        path: Their file; None for no rules.
        interval: Time between two looks at the file.

    Raises:
        ConfigurationError: The file can't be read, or is wrong.
    """

    def __init__(self, path: Path | None, *, interval: timedelta) -> None:
        self._path = path
        self._interval = interval
        self._threads = Threads("reading of the serving rules", count=1, places=0)
        self.current = _NO_RULES if path is None else read_rules(path)

    async def refresh(self) -> None:
        """Read the file; if it is wrong, keep what there is and say so."""
        if self._path is None:
            return
        try:
            rules = await self._threads.run(read_rules, self._path)
        except FeatureStoreError as error:
            _log.error("serving_rules_not_read", error=error.message)
            return
        if rules != self.current:
            self.current = rules
            _log.info("serving_rules_changed", path=str(self._path))

    async def refresh_forever(self) -> None:
        """Read the file again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._interval.total_seconds())
            await self.refresh()
