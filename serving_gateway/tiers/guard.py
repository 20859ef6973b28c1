"""A limit of time and a circuit breaker around a tier, so that a sick one costs little."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from circuitbreaker import CircuitBreaker

from foundation.errors import StoreUnavailable
from serving_gateway.columns import Column, Found, nothing_of
from serving_gateway.deadline import Deadline
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.loop_lag import LoopLag
from serving_gateway.tiers.time_limit import TimeLimit
from serving_gateway.tiers.unattended import UnattendedTasks

_log = structlog.get_logger()

Work = Callable[[], Awaitable[list[Found]]]


@dataclass(frozen=True)
class GuardPolicy:
    """
    When a tier is given up.

    Attributes:
        failures: Failures in a row after which it is.
        failing_seconds: How long they must have gone on: reads under way at one time fail together,
            and are one hiccup.
        recovery_seconds: Time between two attempts to see whether it is well again.
    """

    failures: int
    failing_seconds: float
    recovery_seconds: float


class Guard:
    """
    Lets reads through while their tier is well.

    A read says how its tier is even if its caller does not wait for the end: it goes on without.

    Args:
        name: What is guarded, for logs and metrics.
        budget_seconds: Longest time that a read may take.
        policy: When the tier is given up.
        lag: Of the event loop; added to the budget, for a busy gateway must not take a store for a
            slow one.
        instruments: Count reads that failed or were not let through.
        digest: Logs them.
        behind: Guards what the tier itself stands on: while that is given up, this is left alone.
        is_in_use: Tells whether what it guards may still be asked for; nobody says when it no
            longer is.

    Attributes:
        is_retired: Whether what it guards is gone.
    """

    def __init__(
        self,
        name: str,
        budget_seconds: float,
        policy: GuardPolicy,
        lag: LoopLag,
        instruments: Instruments,
        digest: LogDigest,
        *,
        behind: "Guard | None" = None,
        is_in_use: Callable[[], bool] = lambda: True,
    ) -> None:
        self._name = name
        self._budget_seconds = budget_seconds
        self._policy = policy
        self._lag = lag
        self._instruments = instruments
        self._digest = digest
        self._behind = behind
        self._is_in_use = is_in_use
        # When to try again is our own business: no caller should wait for it.
        self._breaker = CircuitBreaker(policy.failures, expected_exception=StoreUnavailable)
        self._limit = TimeLimit()
        self._failing_since = 0.0
        self._newest: Work | None = None
        self.is_retired = False
        self._unattended: UnattendedTasks[list[Found]] = UnattendedTasks()
        instruments.watch_breaker(name, self.is_open)

    def is_open(self) -> bool:
        """Tell whether reads are kept off."""
        return not self._breaker.closed

    async def read(self, columns: Sequence[Column], work: Work, deadline: Deadline) -> list[Found]:
        """
        Return what a read of columns gives; if it fails or may not try, that they are unavailable.

        Args:
            columns: What is read.
            work: Reads them.
            deadline: When the caller is gone.
        """
        try:
            return await self._guarded(work, deadline)
        except StoreUnavailable as error:
            self._instruments.count_unavailable(self._name)
            self._digest.add("tier_unavailable", tier=self._name, error=error.message)
            return [nothing_of(column, is_unavailable=True) for column in columns]

    def retire(self) -> None:
        """Be probed and watched no longer: what it guards is gone."""
        self.is_retired = True
        self._instruments.forget_breaker(self._name)

    async def probe(self) -> None:
        """See whether a tier that is given up is well again, by what was last asked of it."""
        if not self._is_in_use():
            self.retire()
        elif self.is_open() and self._newest is not None:
            with contextlib.suppress(StoreUnavailable):
                await self._observed(self._newest, self._budget_seconds + self._lag.seconds)

    async def _guarded(self, work: Work, deadline: Deadline) -> list[Found]:
        if self.is_open():
            self._newest = work
            raise StoreUnavailable("given up for now")
        if self._behind is not None and self._behind.is_open():
            raise StoreUnavailable("what it stands on is given up for now")
        budget = self._budget_seconds + self._lag.seconds
        seconds = deadline.limit(budget)
        if seconds >= budget:
            return await self._observed(work, budget)
        if not seconds:
            raise StoreUnavailable("no time is left")
        reading = self._unattended.start(self._observed(work, budget))
        await asyncio.wait([reading], timeout=seconds)
        if not reading.done():
            raise StoreUnavailable("the caller does not wait for it")
        return reading.result()

    async def _observed(self, work: Work, seconds: float) -> list[Found]:
        """Read, and take note of how it went."""
        try:
            found = await self._limit.run(work, seconds)
        except Exception as error:
            failure = self._translated(error)
            self._count_failure(work, failure)
            raise failure from error
        if self.is_open():
            _log.info("tier_recovered", tier=self._name)
        self._breaker.reset()
        return found

    def _translated(self, error: Exception) -> StoreUnavailable:
        if isinstance(error, StoreUnavailable):
            return StoreUnavailable(error.message)
        if isinstance(error, TimeoutError):
            return StoreUnavailable("no answer in time")
        # What nobody foresaw costs this tier's values, not the answer.
        self._digest.add_error("tier_failed", error, tier=self._name)
        return StoreUnavailable(f"an unforeseen {type(error).__name__}")

    def _count_failure(self, work: Work, error: StoreUnavailable) -> None:
        if self.is_open():
            return
        now, before = time.monotonic(), self._breaker.failure_count
        if not before:
            self._failing_since = now
        is_hiccup = now - self._failing_since < self._policy.failing_seconds
        if is_hiccup and before + 1 >= self._policy.failures:
            return
        with contextlib.suppress(StoreUnavailable), self._breaker:
            raise error
        if self.is_open():
            self._newest = work
            _log.warning("tier_given_up", tier=self._name, error=error.message)


class Guards:
    """
    Makes guards, and sees in the background whether what they have given up is well again.

    Args:
        policy: When tiers are given up.
        lag: Of the event loop.
        instruments: Count what is unavailable.
        digest: Logs it.
    """

    def __init__(
        self, policy: GuardPolicy, lag: LoopLag, instruments: Instruments, digest: LogDigest
    ) -> None:
        self._policy = policy
        self._lag = lag
        self._instruments = instruments
        self._digest = digest
        self._guards: list[Guard] = []

    def make(
        self,
        name: str,
        budget_seconds: float,
        *,
        behind: Guard | None = None,
        is_in_use: Callable[[], bool] = lambda: True,
    ) -> Guard:
        """Return a new guard; see `Guard`."""
        guard = Guard(
            name,
            budget_seconds,
            self._policy,
            self._lag,
            self._instruments,
            self._digest,
            behind=behind,
            is_in_use=is_in_use,
        )
        self._guards.append(guard)
        return guard

    async def probe_forever(self) -> None:
        """Probe again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._policy.recovery_seconds)
            self._guards = [guard for guard in self._guards if not guard.is_retired]
            await asyncio.gather(*(guard.probe() for guard in self._guards))
