"""The serving rules in memory: read again when their file changes, kept when it is wrong."""

from pathlib import Path

import structlog

from feature_repo.registry.rules_file import read_rules
from feature_repo.registry.serving_rules import ServingRules
from foundation import clock
from foundation.errors import FeatureStoreError
from serving_gateway.threads import Threads

_log = structlog.get_logger()

_NO_RULES = ServingRules()


class RulesCache:
    """
    Holds the newest rules that could be read.

    Args:
        path: Their file; None for no rules.

    Attributes:
        current: The rules.
        loaded_at: Since when it has been these.
        rejection: What is wrong with the file now; None if nothing is.

    Raises:
        ConfigurationError: The file can't be read, or is wrong.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._threads = Threads("reading of the serving rules", count=1, places=0)
        self.current = _NO_RULES if path is None else read_rules(path)
        self.loaded_at = clock.now()
        self.rejection: str | None = None

    async def refresh(self) -> None:
        """Read the file; if it is wrong, keep what there is and say so, once."""
        if self._path is None:
            return
        try:
            rules = await self._threads.run(read_rules, self._path)
        except FeatureStoreError as error:
            if error.message != self.rejection:
                _log.error("serving_rules_not_read", error=error.message)
            self.rejection = error.message
            return
        self.rejection = None
        if rules != self.current:
            self.current = rules
            self.loaded_at = clock.now()
            _log.info("serving_rules_changed", path=str(self._path))
