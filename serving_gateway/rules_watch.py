"""Keeps the serving rules up to date, and says what is wrong with them: once, and as metrics."""

import asyncio
from datetime import timedelta

import structlog

from foundation import clock
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.metric_registry import MetricRegistry
from serving_gateway.rules_cache import RulesCache
from serving_gateway.rules_check import unmatched

_log = structlog.get_logger()


class RulesInstruments:
    """
    Metrics of the serving rules.

    Args:
        metrics: Where they are registered.
    """

    def __init__(self, metrics: MetricRegistry) -> None:
        self._loaded = metrics.gauge(
            "feature_serving_rules_loaded_timestamp_seconds",
            "Since when the serving rules are those that are followed.",
            of_several="livemin",
        )
        self._rejected = metrics.gauge(
            "feature_serving_rules_rejected",
            "1 if the rules' file is wrong, so that what it said before is followed.",
        )
        self._unmatched = metrics.gauge(
            "feature_serving_rules_unmatched", "Rules that nothing that is deployed fits."
        )

    def record(self, rules: RulesCache, unmatched_count: int) -> None:
        """Record the state of the rules."""
        self._loaded.set(rules.loaded_at.timestamp())
        self._rejected.set(rules.rejection is not None)
        self._unmatched.set(unmatched_count)


class RulesWatch:
    """
    Looks after the rules.

    Args:
        rules: Read again and again.
        catalog: What they are held against.
        instruments: Told how they are.
        interval: Time between two looks.
    """

    def __init__(
        self,
        rules: RulesCache,
        catalog: CatalogCache,
        instruments: RulesInstruments,
        *,
        interval: timedelta,
    ) -> None:
        self._rules = rules
        self._catalog = catalog
        self._instruments = instruments
        self._interval = interval
        self._unmatched: dict[str, str] = {}

    def check(self) -> None:
        """Hold the rules against the catalog, if there is one; log what has not been logged."""
        if self._catalog.is_loaded:
            found = unmatched(self._rules.current, self._catalog.current, now=clock.now())
            for rule, why in found.items():
                if self._unmatched.get(rule) != why:
                    _log.warning("serving_rule_unmatched", rule=rule, error=why)
            self._unmatched = found
        self._instruments.record(self._rules, len(self._unmatched))

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._interval.total_seconds())
            await self._rules.refresh()
            self.check()
