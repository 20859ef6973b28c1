"""Run jobs one after the other: retry what may pass, skip what can't, go on with the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import stamina
import structlog

from foundation.errors import FeatureStoreError, StoredButNotOnline
from foundation.postgres import connect
from foundation.settings import Settings
from transformations import past_runs, pipeline, runs
from transformations.jobs import Job
from transformations.retrying import retry_decision

_log = structlog.get_logger()


class Ending(StrEnum):
    """How a job ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Outcome:
    """
    How a job went.

    Attributes:
        job: What was run.
        ending: How it ended.
        reports: What was done, one a feature version; empty unless it succeeded.
        error: Why it failed, or was skipped; empty if it succeeded.
        lacks_redis_only: Whether it failed when all but Redis had its values.
    """

    job: Job
    ending: Ending
    reports: Sequence[runs.RunReport] = ()
    error: str = ""
    lacks_redis_only: bool = False

    @property
    def is_stored(self) -> bool:
        """Whether its values are in PostgreSQL, where other jobs read them."""
        return self.ending is Ending.SUCCEEDED or self.lacks_redis_only


def failure(job: Job, error: Exception) -> Outcome:
    """Return how a job went that raised an error; one that nobody foresaw is logged whole."""
    if not isinstance(error, FeatureStoreError):
        _log.error("job_crashed", job=job.name, exc_info=error)
    return Outcome(
        job,
        Ending.FAILED,
        error=str(error) or type(error).__name__,
        lacks_redis_only=isinstance(error, StoredButNotOnline),
    )


def run_jobs(
    settings: Settings,
    jobs: Sequence[Job],
    *,
    as_of: datetime | None,
    options: pipeline.Options,
    on_start: Callable[[Job], None],
    after_run: Callable[[Job], None] = lambda _job: None,
) -> list[Outcome]:
    """
    Run jobs in their order, which must put dependencies first.

    A job that fails does not stop the others, but those that depend on it are skipped, unless its
    values are in PostgreSQL and just Redis lacks them.

    Args:
        settings: Where the stores are, and when to try again.
        jobs: What to run.
        as_of: Aware instant; None for now.
        options: How to run each.
        on_start: Called before each job.
        after_run: Called after each that succeeded.
    """
    outcomes: list[Outcome] = []
    for job in jobs:
        on_start(job)
        lacking = lacking_dependencies(job, outcomes)
        if lacking:
            outcomes.append(skip(settings, job, lacking, as_of=as_of))
        else:
            outcomes.append(run_job(settings, job, as_of=as_of, options=options))
        if outcomes[-1].ending is Ending.SUCCEEDED:
            follow(after_run, job)
    return outcomes


def follow(after_run: Callable[[Job], None], job: Job) -> None:
    """Call what comes after a successful run, which it can't spoil any more."""
    try:
        after_run(job)
    except Exception as error:  # noqa: BLE001 - the values are published
        _log.warning("after_run_failed", job=job.name, error=str(error))


def lacking_dependencies(job: Job, outcomes: Sequence[Outcome]) -> list[str]:
    """Return which dependencies of a job were not stored, among those that were run."""
    failed = {
        feature.reference
        for outcome in outcomes
        if not outcome.is_stored
        for feature in outcome.job.features
    }
    return [known.reference for known in job.dependencies if known.reference in failed]


def unsound_dependencies(settings: Settings, job: Job) -> list[str]:
    """Return which dependencies of a job were not stored by their last run."""
    with connect(settings) as connection:
        return [
            known.reference
            for known in job.dependencies
            if not past_runs.has_stored(connection, known)
        ]


def skip(
    settings: Settings, job: Job, lacking: Sequence[str], *, as_of: datetime | None
) -> Outcome:
    """Record that a job is not run because of what it depends on."""
    reason = f"{', '.join(lacking)} did not succeed, which it depends on"
    with connect(settings, autocommit=True) as connection:
        runs.record_skip(connection, runs.new_run(connection, job, as_of=as_of), reason=reason)
    _log.warning("run_skipped", job=job.name, lacking=lacking)
    return Outcome(job, Ending.SKIPPED, error=reason)


def run_job(
    settings: Settings, job: Job, *, as_of: datetime | None, options: pipeline.Options
) -> Outcome:
    """Run a job, and again after the delays of the settings if a store could not be reached."""
    try:
        for attempt in stamina.retry_context(
            on=retry_decision(settings), attempts=None, timeout=None
        ):
            with attempt:
                numbered = replace(options, attempt=attempt.num)
                reports = pipeline.run(settings, job, as_of=as_of, options=numbered)
    except Exception as error:  # noqa: BLE001 - a mistake in one computation stops no other
        return failure(job, error)
    return Outcome(job, Ending.SUCCEEDED, reports)
