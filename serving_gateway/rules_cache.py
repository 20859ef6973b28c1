"""The serving rules in memory: read again when their file changes, kept when it is wrong."""

import asyncio
from datetime import timedelta
from pathlib import Path

import structlog
import yaml
from pydantic import ValidationError

from foundation.errors import ConfigurationError
from serving_gateway.rules import ServingRules

_log = structlog.get_logger()

_HINT = "docs/serving-rules.md shows what it may hold."
_NO_RULES = ServingRules()


def read_rules(path: Path) -> ServingRules:
    """
    Read serving rules from a YAML file.

    Raises:
        ConfigurationError: The file can't be read, or is wrong; the message names each field.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ServingRules.model_validate({} if content is None else content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: {error}", hint=_HINT) from error
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, detail['loc'])) or 'the whole'}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_input=False)
        ]
        raise ConfigurationError(
            f"{path}:\n  " + "\n  ".join(lines),
            hint=_HINT,
        ) from None


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
        self.current = _NO_RULES if path is None else read_rules(path)

    async def refresh(self) -> None:
        """Read the file; if it is wrong, keep what there is and say so."""
        if self._path is None:
            return
        try:
            rules = await asyncio.to_thread(read_rules, self._path)
        except ConfigurationError as error:
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
