"""When jobs start: early enough that no value expires before its successor lands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from transformations.jobs import Job

# A run may take so much longer than the longest of the recent ones, and still land in time.
_DURATION_FACTOR = 1.5
_MARGIN = timedelta(seconds=5)
# Before the first run nothing is known of its duration.
_UNKNOWN_DURATION = timedelta(seconds=30)
_SHORTEST_PERIOD = timedelta(seconds=1)
# After midnight, UTC, so that runs of the last moments have been written.
_NIGHT = timedelta(minutes=10)


@dataclass(frozen=True)
class Wave:
    """
    Jobs of one frequency that depend on each other: started together, run one after the other.

    Attributes:
        jobs: Dependencies first.
        frequency: How often the jobs are to run.
    """

    jobs: Sequence[Job]
    frequency: timedelta

    @property
    def name(self) -> str:
        """Names of its jobs."""
        return ", ".join(job.name for job in self.jobs)


def waves_of(jobs: Sequence[Job]) -> list[Wave]:
    """
    Return jobs as waves.

    Args:
        jobs: Dependencies first; those that are computed on demand only are not among them.
    """
    groups: list[list[Job]] = []
    for job in jobs:
        related = [group for group in groups if any(_belong_together(job, o) for o in group)]
        merged = [member for group in related for member in group]
        groups = [group for group in groups if group not in related]
        groups.append([*merged, job])
    return [Wave(jobs=_in_order(group, jobs), frequency=_frequency(group[0])) for group in groups]


def period(wave: Wave, durations: Mapping[str, Sequence[timedelta]]) -> timedelta:
    """
    Return the time from one start of a wave to the next.

    A value lives for its staleness tolerance from the start of its job. The next one lands when the
    jobs before it and its own have run, so a wave starts early by as long as that may take.

    Args:
        wave: What is started.
        durations: How long recent runs took, by job name.
    """
    longest = wave.frequency
    until_landed = timedelta(0)
    for job in wave.jobs:
        until_landed += max(durations.get(job.name, ()), default=_UNKNOWN_DURATION)
        tolerance = min(feature.staleness_tolerance for feature in job.features)
        longest = min(longest, tolerance - until_landed * _DURATION_FACTOR - _MARGIN)
    return max(longest, _SHORTEST_PERIOD)


def first_start(
    wave: Wave, last_starts: Mapping[str, datetime], length: timedelta, *, now: datetime
) -> datetime:
    """
    Return when a wave starts first: at once, unless all of its values are there already.

    Args:
        wave: What is started.
        last_starts: For which instant each job last succeeded, by job name.
        length: Time from one start to the next.
        now: Current instant.
    """
    starts = [last_starts.get(job.name) for job in wave.jobs]
    known = [start for start in starts if start is not None]
    if len(known) < len(starts):
        return now
    return max(min(known) + length, now)


def first_night(now: datetime) -> datetime:
    """Return when nightly work is to be done first: at once, for the last midnight's may lack."""
    return max(_midnight(now) + _NIGHT, now)


def next_night(now: datetime) -> datetime:
    """Return when the next midnight's work is to be done."""
    return _midnight(now) + timedelta(days=1) + _NIGHT


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _belong_together(job: Job, other: Job) -> bool:
    depends = any(known in other.features for known in job.dependencies)
    return depends and _frequency(job) == _frequency(other)


def _in_order(group: Sequence[Job], jobs: Sequence[Job]) -> list[Job]:
    return [job for job in jobs if job in group]


def _frequency(job: Job) -> timedelta:
    frequency = job.leader.computation_frequency
    assert frequency is not None, "what is computed on demand has no job"  # noqa: S101 - jobs_of
    return frequency
