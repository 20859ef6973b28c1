"""Run every job at its frequency, in one process."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import stamina
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from foundation import clock
from foundation.errors import FeatureStoreError, JobAlreadyRunning
from foundation.postgres import connect
from foundation.settings import Settings
from transformations import past_runs, pipeline, runs
from transformations.instrumentation import SchedulerInstruments
from transformations.jobs import Job
from transformations.orchestration import (
    Ending,
    Outcome,
    failure,
    follow,
    lacking_dependencies,
    skip,
    unsound_dependencies,
)
from transformations.retrying import retry_decision
from transformations.timetable import (
    Wave,
    first_night,
    first_start,
    next_night,
    period,
    waves_of,
)

_log = structlog.get_logger()

_DURATIONS_LOOKED_AT = 5
# Nightly work that failed is tried again with every so many looks for what is deployed.
_REFRESHES_BEFORE_RETRY = 10


class Schedule:
    """
    Starts each wave of jobs when it is due, and never twice at a time.

    Args:
        settings: Where the stores are, how many jobs may run at a time, when to try again.
        read_jobs: Returns the jobs that are deployed, dependencies first.
        instruments: Tell that the schedule is alive.
        nightly: Called after each midnight, UTC, and at the start in case it was missed; again and
            again until it succeeds.
        after_run: Called after each successful run, in a thread; no job waits for it.
    """

    def __init__(
        self,
        settings: Settings,
        read_jobs: Callable[[], Sequence[Job]],
        instruments: SchedulerInstruments,
        nightly: Callable[[], None],
        after_run: Callable[[Job], None],
    ) -> None:
        self._settings = settings
        self._read_jobs = read_jobs
        self._instruments = instruments
        self._nightly = nightly
        self._after_run = after_run
        self._after_runs = asyncio.Semaphore(1)
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._places = asyncio.Semaphore(settings.schedule_parallel_jobs)
        self._waves: dict[str, Wave] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._attempting: set[asyncio.Task[None]] = set()
        self._following: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Run jobs until told to stop, and then finish those that run."""
        await self.refresh()
        self._scheduler.add_job(
            self.refresh,
            "interval",
            seconds=self._settings.schedule_refresh_seconds,
            misfire_grace_time=None,  # late is better than not at all
        )
        self._plan_night(first_night(clock.now()))
        self._scheduler.start()
        await stop.wait()
        self._stopping = True
        self._scheduler.pause()
        for task in self._running - self._attempting:
            task.cancel()  # it only waits for its next attempt, or for its turn
        if self._running:
            _log.info("schedule_draining", waves=len(self._attempting))
        await asyncio.gather(*self._running, return_exceptions=True)
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        self._scheduler.shutdown()  # which would have cancelled what still ran
        _log.info("schedule_stopped")

    def _plan_night(self, start: datetime) -> None:
        self._scheduler.add_job(
            self._after_midnight, "date", run_date=start, misfire_grace_time=None
        )

    async def _after_midnight(self) -> None:
        try:
            await asyncio.to_thread(self._nightly)
        except Exception as error:  # noqa: BLE001 - whatever it was, the night is not over
            known = isinstance(error, FeatureStoreError)
            _log.error("nightly_work_failed", error=str(error), exc_info=not known)
            refresh = timedelta(seconds=self._settings.schedule_refresh_seconds)
            again = clock.now() + _REFRESHES_BEFORE_RETRY * refresh
        else:
            again = next_night(clock.now())
        if not self._stopping:
            self._plan_night(again)

    async def refresh(self) -> None:
        """Take up what has been deployed since, and leave off what has gone."""
        try:
            found = await asyncio.to_thread(self._read)
        except Exception as error:  # noqa: BLE001 - whatever Feast raises, the next look may succeed
            known = isinstance(error, FeatureStoreError)
            _log.warning("schedule_not_refreshed", error=str(error), exc_info=not known)
            self._instruments.refresh_failed()
            self._instruments.tick(clock.now(), waves=len(self._waves))
            return
        waves, durations, last_starts = found
        gone, self._waves = self._waves, {wave.name: wave for wave in waves}
        for name in gone.keys() - self._waves.keys():
            if self._scheduler.get_job(name) is not None:
                self._scheduler.remove_job(name)
        for name, wave in self._waves.items():
            # One that runs plans its next start itself, by what is deployed when it ends.
            is_changed = wave != gone.get(name) and self._scheduler.get_job(name) is not None
            if name not in gone or is_changed:
                length = period(wave, durations)
                self._plan(wave, first_start(wave, last_starts, length, now=clock.now()))
        self._instruments.tick(clock.now(), waves=len(self._waves))

    def _read(
        self,
    ) -> tuple[list[Wave], dict[str, list[timedelta]], dict[str, datetime]]:
        waves = waves_of(self._read_jobs())
        with connect(self._settings) as connection:
            durations = past_runs.recent_durations(connection, limit=_DURATIONS_LOOKED_AT)
            return waves, durations, past_runs.last_instants(connection)

    def _plan(self, wave: Wave, start: datetime) -> None:
        _log.info("wave_planned", wave=wave.name, start=start.isoformat(timespec="seconds"))
        self._scheduler.add_job(
            self._start,
            "date",
            run_date=start,
            args=[wave.name],
            id=wave.name,
            replace_existing=True,
            misfire_grace_time=None,  # late is better than not at all
            # A wave plans its next start before it has quite ended, and that may be due at once:
            # with one instance it would be skipped, and never planned again.
            max_instances=2,
        )

    async def _start(self, name: str) -> None:
        task = asyncio.current_task()
        assert task is not None, "APScheduler runs coroutines as tasks"  # noqa: S101
        if name not in self._waves:  # any more
            return
        self._running.add(task)
        started = clock.now()
        try:
            await self._run_wave(self._waves[name], task)
        finally:
            self._running.discard(task)
            if not self._stopping and name in self._waves:
                wave = self._waves[name]
                length = await asyncio.to_thread(self._period, wave)
                self._plan(wave, max(started + length, clock.now()))

    def _period(self, wave: Wave) -> timedelta:
        try:
            with connect(self._settings) as connection:
                durations = past_runs.recent_durations(connection, limit=_DURATIONS_LOOKED_AT)
        except FeatureStoreError:
            durations = {}
        return period(wave, durations)

    async def _run_wave(self, wave: Wave, task: asyncio.Task[None]) -> None:
        outcomes: list[Outcome] = []
        for job in wave.jobs:
            if self._stopping:
                return
            try:
                outcomes.append(await self._run_job(job, outcomes, task))
            except JobAlreadyRunning as error:
                _log.info("job_left_to_another_process", job=job.name, reason=error.message)
            except Exception as error:  # noqa: BLE001 - a mistake in one computation stops no other
                outcomes.append(failure(job, error))

    async def _run_job(
        self, job: Job, before: Sequence[Outcome], task: asyncio.Task[None]
    ) -> Outcome:
        lacking = await asyncio.to_thread(self._lacking, job, before)
        if lacking:
            return await asyncio.to_thread(skip, self._settings, job, lacking, as_of=None)
        decide = retry_decision(self._settings)
        async for attempt in stamina.retry_context(
            on=lambda error: not self._stopping and decide(error), attempts=None, timeout=None
        ):
            with attempt:
                async with self._places:
                    self._attempting.add(task)
                    self._instruments.set_running(len(self._attempting))
                    try:
                        reports = await asyncio.to_thread(self._attempt, job, attempt.num)
                    finally:
                        self._attempting.discard(task)
                        self._instruments.set_running(len(self._attempting))
        self._follow(job)
        return Outcome(job, Ending.SUCCEEDED, reports)

    def _follow(self, job: Job) -> None:
        task = asyncio.create_task(self._call_after_run(job))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _call_after_run(self, job: Job) -> None:
        async with self._after_runs:
            await asyncio.to_thread(follow, self._after_run, job)

    def _lacking(self, job: Job, before: Sequence[Outcome]) -> list[str]:
        return lacking_dependencies(job, before) or unsound_dependencies(self._settings, job)

    def _attempt(self, job: Job, number: int) -> list[runs.RunReport]:
        return pipeline.run(self._settings, job, options=pipeline.Options(attempt=number))
