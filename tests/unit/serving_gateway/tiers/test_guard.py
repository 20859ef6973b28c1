"""A sick tier is given up, and found again when it is well."""

import asyncio

from structlog.testing import capture_logs

from feature_repo.registry.gather import gather_features
from foundation.errors import StoreUnavailable
from serving_gateway.columns import Column, Found
from serving_gateway.deadline import NO_DEADLINE, Deadline
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.loop_lag import LoopLag
from serving_gateway.tiers.guard import Guard, GuardPolicy

COLUMN = Column(gather_features()[0], ["a"])
GOOD = [Found([b"1"])]


class Patient:
    """A tier that is well, sick or slow."""

    def __init__(self) -> None:
        self.calls = 0
        self.is_sick = False
        self.seconds = 0.0

    async def read(self) -> list[Found]:
        """Answer, or fail."""
        self.calls += 1
        await asyncio.sleep(self.seconds)
        if self.is_sick:
            raise StoreUnavailable("it is down")
        return GOOD


def _guard(
    instruments: Instruments | None = None, lag: LoopLag | None = None, *, budget: float = 0.05
) -> Guard:
    policy = GuardPolicy(budget_seconds=budget, failures=2, recovery_seconds=0.05)
    return Guard("tier", policy, lag or LoopLag(), instruments or Instruments(), LogDigest())


async def _is_good(guard: Guard, patient: Patient, deadline: Deadline = NO_DEADLINE) -> bool:
    [found] = await guard.read([COLUMN], patient.read, deadline)
    assert found.is_unavailable == (found.texts == [None])
    return not found.is_unavailable


async def test_failures_in_a_row_keep_reads_off() -> None:
    """The tier is left alone until it may have recovered; then one read finds it well."""
    instruments, patient = Instruments(), Patient()
    guard = _guard(instruments)
    patient.is_sick = True
    with capture_logs() as logged:
        results = [await _is_good(guard, patient) for _ in range(4)]
    assert results == [False] * 4
    assert patient.calls == 2
    assert guard.is_open()
    assert [entry["event"] for entry in logged] == ["tier_given_up"]
    assert (
        'feature_tier_unavailable_total{computation="",tier="tier"} 4.0'
        in instruments.exposition().decode()
    )
    patient.is_sick = False
    await asyncio.sleep(0.06)
    assert await _is_good(guard, patient)
    assert not guard.is_open()


async def test_one_read_at_a_time_probes_a_tier() -> None:
    """Of many that come when it may have recovered, all but one are kept off."""
    patient = Patient()
    guard = _guard()
    patient.is_sick = True
    for _ in range(2):
        await _is_good(guard, patient)
    await asyncio.sleep(0.06)
    patient.seconds = 0.01
    await asyncio.gather(*(_is_good(guard, patient) for _ in range(5)))
    assert patient.calls == 3


async def test_a_slow_tier_is_a_sick_one() -> None:
    """What takes longer than the budget counts as a failure."""
    patient = Patient()
    patient.seconds = 10.0
    guard = _guard(budget=0.01)
    assert [await _is_good(guard, patient) for _ in range(3)] == [False] * 3
    assert patient.calls == 2


async def test_a_callers_haste_is_not_the_tiers_fault() -> None:
    """Deadlines that are too short to be kept never open the breaker."""
    patient = Patient()
    patient.seconds = 0.03
    guard = _guard(budget=5.0)
    hasty = [await _is_good(guard, patient, Deadline(0.001)) for _ in range(5)]
    assert hasty == [False] * 5
    assert await _is_good(guard, patient)


async def test_the_loops_lag_is_not_the_tiers_fault() -> None:
    """A busy gateway waits longer."""
    patient, lag = Patient(), LoopLag()
    patient.seconds = 0.03
    lag.seconds = 5.0
    assert await _is_good(_guard(lag=lag, budget=0.001), patient)
