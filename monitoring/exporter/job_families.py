"""Gauges of jobs: how they went, and how they are deployed."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import Metric

from feature_repo.registry.catalog import Catalog
from monitoring.exporter.jobs import JobState
from monitoring.exporter.metrics import gauge, seconds_since_1970
from transformations.selection import scheduled_jobs


def job_states(jobs: Sequence[JobState]) -> Iterator[Metric]:
    """Return how each job's runs went."""
    for name, help_text, samples in (
        (
            "batch_job_last_success_timestamp",
            "When a job last succeeded, in seconds since 1970; 0: never.",
            [(job, seconds_since_1970(job.succeeded_at)) for job in jobs],
        ),
        (
            "batch_job_consecutive_failures",
            "Failed runs since a job last succeeded; a run and its retries are one.",
            [(job, job.consecutive_failures) for job in jobs],
        ),
        (
            "batch_job_consecutive_skips",
            "Runs since a job last succeeded that were skipped because of what they depend on.",
            [(job, job.consecutive_skips) for job in jobs],
        ),
        (
            "batch_job_last_duration_seconds",
            "How long the last successful run took.",
            [(job, job.last_seconds) for job in jobs],
        ),
        (
            "batch_job_expected_duration_seconds",
            "Median of how long the last successful runs took.",
            [(job, job.expected_seconds) for job in jobs],
        ),
        (
            "batch_job_last_records",
            "Values that the last successful run gave.",
            [(job, job.last_records) for job in jobs],
        ),
        (
            "batch_job_running_since_timestamp",
            "When the run that is under way started, in seconds since 1970; 0: none is.",
            [(job, seconds_since_1970(job.running_since)) for job in jobs],
        ),
    ):
        known = [([job.job_name], value) for job, value in samples if value is not None]
        yield gauge(name, help_text, ["job_name"], known)


def deployed_jobs(catalog: Catalog) -> Iterator[Metric]:
    """Return how often each deployed job is to run, what it computes, and whose it is."""
    jobs = scheduled_jobs(catalog)
    yield gauge(
        "batch_job_interval_seconds",
        "How often a job is to run.",
        ["job_name"],
        (
            ([job.name], job.leader.computation_frequency.total_seconds())
            for job in jobs
            if job.leader.computation_frequency is not None
        ),
    )
    yield gauge(
        "batch_job_info",
        "1 for each feature version that a job computes; the owner is the job's.",
        ["job_name", "feature_name", "version", "owner"],
        (
            ([job.name, feature.feature_name, feature.version, job.leader.owner], 1)
            for job in jobs
            for feature in job.features
        ),
    )
