"""A limit of time and a circuit breaker around a tier, so that a sick one costs little."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from circuitbreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker

from foundation.errors import StoreUnavailable
from serving_gateway.columns import Column, Found, nothing_of
from serving_gateway.deadline import Deadline
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.loop_lag import LoopLag

_log = structlog.get_logger()


@dataclass(frozen=True)
class GuardPolicy:
    """
    When a tier is given up.

    Attributes:
        budget_seconds: Longest time that a read may take.
        failures: Failures in a row that open the breaker.
        recovery_seconds: Time until an open breaker lets one read through to see.
    """

    budget_seconds: float
    failures: int
    recovery_seconds: float


class Guard:
    """
    Lets reads through while their tier is well.

    Args:
        name: What is guarded, for logs and metrics.
        policy: When it is given up.
        lag: Of the event loop; added to the budget, for a busy gateway must not take a store for a
            slow one.
        instruments: Count reads that failed or were not let through.
        digest: Logs them.
    """

    def __init__(
        self,
        name: str,
        policy: GuardPolicy,
        lag: LoopLag,
        instruments: Instruments,
        digest: LogDigest,
    ) -> None:
        self._name = name
        self._budget_seconds = policy.budget_seconds
        self._failures = policy.failures
        self._lag = lag
        self._instruments = instruments
        self._digest = digest
        self._is_probing = False
        self._breaker = CircuitBreaker(
            failure_threshold=policy.failures,
            recovery_timeout=policy.recovery_seconds,
            expected_exception=StoreUnavailable,
            name=name,
        )
        instruments.watch_breaker(name, self.is_open)

    def is_open(self) -> bool:
        """Tell whether reads are kept off."""
        return bool(self._breaker.state != STATE_CLOSED)

    async def read(
        self,
        columns: Sequence[Column],
        work: Callable[[], Awaitable[list[Found]]],
        deadline: Deadline,
    ) -> list[Found]:
        """
        Return what a read of columns gives; if it fails or may not try, that they are unavailable.

        Args:
            columns: What is read.
            work: Reads them; raises `StoreUnavailable`.
            deadline: When the caller is gone. One who is in a hurry says nothing about the tier.
        """
        try:
            return await self._guarded(work, deadline)
        except StoreUnavailable as error:
            self._instruments.count_unavailable(self._name)
            self._digest.add("tier_unavailable", tier=self._name, error=error.message)
            return [nothing_of(column, is_unavailable=True) for column in columns]

    async def _guarded(
        self, work: Callable[[], Awaitable[list[Found]]], deadline: Deadline
    ) -> list[Found]:
        state = self._breaker.state
        if state == STATE_OPEN or (state == STATE_HALF_OPEN and self._is_probing):
            raise StoreUnavailable("given up for now")
        budget = self._budget_seconds + self._lag.seconds
        seconds = deadline.limit(budget)
        if seconds < budget:
            return await _limited(work, seconds)
        self._is_probing = True
        try:
            with self._breaker:
                found = await _limited(work, seconds)
        except StoreUnavailable as error:
            if self._breaker.failure_count == self._failures:
                _log.warning("tier_given_up", tier=self._name, error=error.message)
            raise
        finally:
            self._is_probing = False
        if state == STATE_HALF_OPEN:
            _log.info("tier_recovered", tier=self._name)
        return found


async def _limited(work: Callable[[], Awaitable[list[Found]]], seconds: float) -> list[Found]:
    try:
        async with asyncio.timeout(seconds):
            return await work()
    except TimeoutError as error:
        raise StoreUnavailable("no answer in time") from error
