"""A sick tier is given up, and found again when it is well."""

import asyncio

import pytest
from structlog.testing import capture_logs

from feature_repo.registry.gather import gather_features
from foundation.errors import StoreUnavailable
from serving_gateway.columns import Column, Found
from serving_gateway.deadline import NO_DEADLINE, Deadline
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.loop_lag import LoopLag
from serving_gateway.tiers.guard import Guard, GuardPolicy, Guards

COLUMN = Column(gather_features()[0], ["a"])
GOOD = [Found([b"1"])]
FAILURES = 2
# Longer than any test takes, and shorter than any wait.
LONG, SHORT = 600.0, 0.01


class Patient:
    """A tier that is well, sick or silent."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.speaks = asyncio.Event()
        self.speaks.set()

    async def read(self) -> list[Found]:
        """Answer, or fail, or neither."""
        self.calls += 1
        await self.speaks.wait()
        if self.error is not None:
            raise self.error
        return GOOD

    def fall_silent(self) -> None:
        """Answer no more, until `speaks` is set."""
        self.speaks.clear()


def _guards(
    *,
    failing_seconds: float = 0.0,
    recovery_seconds: float = LONG,
    instruments: Instruments | None = None,
    lag: LoopLag | None = None,
    digest: LogDigest | None = None,
) -> Guards:
    policy = GuardPolicy(
        failures=FAILURES, failing_seconds=failing_seconds, recovery_seconds=recovery_seconds
    )
    return Guards(policy, lag or LoopLag(), instruments or Instruments(), digest or LogDigest())


async def _is_good(guard: Guard, patient: Patient, deadline: Deadline = NO_DEADLINE) -> bool:
    [found] = await guard.read([COLUMN], patient.read, deadline)
    assert found.is_unavailable == (found.texts == [None])
    return not found.is_unavailable


async def _given_up(patient: Patient, guards: Guards | None = None) -> Guard:
    """Return the guard of a tier that has been given up, and is well again."""
    guard = (guards or _guards()).make("tier", LONG)
    patient.error = StoreUnavailable("it is down")
    for _ in range(FAILURES):
        await _is_good(guard, patient)
    assert guard.is_open()
    patient.error = None
    return guard


async def test_failures_in_a_row_keep_reads_off() -> None:
    """The tier is left alone from then on."""
    instruments, patient = Instruments(), Patient()
    guard = _guards(instruments=instruments).make("tier", LONG)
    patient.error = StoreUnavailable("it is down")
    with capture_logs() as logged:
        results = [await _is_good(guard, patient) for _ in range(4)]
    assert results == [False] * 4
    assert patient.calls == FAILURES
    assert guard.is_open()
    assert [entry["event"] for entry in logged] == ["tier_given_up"]
    assert (
        'feature_tier_unavailable_total{part="",tier="tier"} 4.0'
        in instruments.exposition().decode()
    )


async def test_a_success_between_failures_keeps_a_tier() -> None:
    """Only those in a row count."""
    patient = Patient()
    guard = _guards().make("tier", LONG)
    for error in [StoreUnavailable("it is down"), None] * 3:
        patient.error = error
        await _is_good(guard, patient)
    assert not guard.is_open()


async def test_a_hiccup_is_no_outage() -> None:
    """However many reads fail within a moment, the next one is let through."""
    patient = Patient()
    guard = _guards(failing_seconds=LONG).make("tier", LONG)
    patient.error = StoreUnavailable("it is down")
    await asyncio.gather(*(_is_good(guard, patient) for _ in range(20)))
    patient.error = None
    assert await _is_good(guard, patient)
    assert patient.calls == 21


async def test_a_probe_finds_a_tier_well_again() -> None:
    """In the background, by what was asked last; until then nobody waits for anything."""
    patient = Patient()
    guard = await _given_up(patient)
    assert not await _is_good(guard, patient)
    assert patient.calls == FAILURES
    with capture_logs() as logged:
        await guard.probe()
    assert patient.calls == FAILURES + 1
    assert [entry["event"] for entry in logged] == ["tier_recovered"]
    assert await _is_good(guard, patient)


async def test_a_probe_that_fails_changes_nothing() -> None:
    """The tier stays given up, and is not said to be so again."""
    patient = Patient()
    guard = await _given_up(patient)
    patient.error = StoreUnavailable("it is down still")
    with capture_logs() as logged:
        await guard.probe()
    assert guard.is_open()
    assert logged == []


async def test_a_tier_that_is_well_is_not_probed() -> None:
    """It has reads enough."""
    patient = Patient()
    guard = _guards().make("tier", LONG)
    await _is_good(guard, patient)
    await guard.probe()
    assert patient.calls == 1


async def test_a_silent_tier_does_not_keep_others_from_recovering() -> None:
    """All that are given up are probed, again and again."""
    guards = _guards(recovery_seconds=SHORT)
    silent, well = Patient(), Patient()
    guard_of_silent, guard = await _given_up(silent, guards), await _given_up(well, guards)
    silent.fall_silent()
    probing = asyncio.create_task(guards.probe_forever())
    async with asyncio.timeout(10):
        while guard.is_open():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(SHORT)
    assert guard_of_silent.is_open()
    probing.cancel()


async def test_a_slow_tier_is_a_sick_one() -> None:
    """What takes longer than the budget counts as a failure."""
    patient = Patient()
    patient.fall_silent()
    guard = _guards().make("tier", SHORT)
    assert [await _is_good(guard, patient) for _ in range(3)] == [False] * 3
    assert patient.calls == FAILURES


async def test_a_callers_haste_is_not_the_tiers_fault() -> None:
    """What a caller does not wait for goes on, and what becomes of it counts: here, success."""
    patient = Patient()
    guard = _guards().make("tier", LONG)
    patient.fall_silent()
    assert [await _is_good(guard, patient, Deadline(SHORT)) for _ in range(5)] == [False] * 5
    patient.speaks.set()
    await asyncio.sleep(0)
    assert await _is_good(guard, patient)


async def test_who_has_no_time_left_asks_for_nothing() -> None:
    """Nobody would take the answer."""
    patient = Patient()
    assert not await _is_good(_guards().make("tier", LONG), patient, Deadline(0.0))
    assert patient.calls == 0


async def test_refusals_of_the_hasty_count() -> None:
    """A tier that refuses is sick, however little time its callers have."""
    patient = Patient()
    patient.error = StoreUnavailable("it is down")
    guard = _guards().make("tier", LONG)
    for _ in range(FAILURES):
        await _is_good(guard, patient, Deadline(LONG / 2))
    assert guard.is_open()


async def test_a_tier_that_is_silent_to_the_hasty_is_given_up() -> None:
    """Their reads go on without them, and find out."""
    patient = Patient()
    patient.fall_silent()
    guard = _guards().make("tier", 2 * SHORT)
    async with asyncio.timeout(10):
        while not guard.is_open():
            await _is_good(guard, patient, Deadline(SHORT))


async def test_the_loops_lag_is_not_the_tiers_fault() -> None:
    """A busy gateway waits longer."""
    patient, lag = Patient(), LoopLag()
    lag.seconds = LONG
    patient.fall_silent()
    reading = asyncio.create_task(_is_good(_guards(lag=lag).make("tier", SHORT), patient))
    await asyncio.sleep(5 * SHORT)
    patient.speaks.set()
    assert await reading


async def test_what_nobody_foresaw_costs_no_answer() -> None:
    """It is a failure like others, and logged with its traceback, once for many."""
    patient, digest = Patient(), LogDigest()
    patient.error = ZeroDivisionError("by an odd value")
    guard = _guards(digest=digest).make("tier", LONG)
    assert [await _is_good(guard, patient) for _ in range(3)] == [False] * 3
    assert guard.is_open()
    with capture_logs() as logged:
        digest.flush()
    [failed] = [entry for entry in logged if entry["event"] == "tier_failed"]
    assert (failed["count"], failed["log_level"]) == (FAILURES, "error")
    assert failed["exc_info"].__traceback__ is not None


async def test_a_tier_is_left_alone_with_what_it_stands_on() -> None:
    """And asked again with it; it has not failed itself."""
    guards, store, computation = _guards(), Patient(), Patient()
    guard_of_store = await _given_up(store, guards)
    guard = guards.make("computation", LONG, behind=guard_of_store)
    assert not await _is_good(guard, computation)
    assert computation.calls == 0
    await guard_of_store.probe()
    assert await _is_good(guard, computation)


async def test_what_is_no_longer_in_use_is_watched_no_longer() -> None:
    """However sick it was when it was taken out of use."""
    instruments, patient, used = Instruments(), Patient(), [True]
    guard = _guards(instruments=instruments).make("tier:it", LONG, is_in_use=lambda: used[0])
    patient.error = StoreUnavailable("it is down")
    for _ in range(FAILURES):
        await _is_good(guard, patient)
    instruments.record_vital_signs(catalog_age_seconds=0.0, lag_seconds=0.0)
    assert 'feature_tier_state{part="it",tier="tier"} 1.0' in instruments.exposition().decode()
    used[0] = False
    await guard.probe()
    assert (guard.is_retired, patient.calls) == (True, FAILURES)
    assert 'feature_tier_state{part="it",tier="tier"} 0.0' in instruments.exposition().decode()


async def test_who_leaves_says_nothing() -> None:
    """A read that is cancelled neither failed nor succeeded."""
    patient = Patient()
    guard = _guards().make("tier", LONG)
    patient.error = StoreUnavailable("it is down")
    await _is_good(guard, patient)
    patient.fall_silent()
    leaving = asyncio.create_task(_is_good(guard, patient))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    patient.speaks.set()
    await _is_good(guard, patient)
    assert guard.is_open()
