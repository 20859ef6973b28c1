"""From what a user types to jobs."""

from collections.abc import Sequence

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import FeatureVersion, Status
from foundation.errors import ConfigurationError
from transformations.jobs import Job, jobs_of

_LIVE = (Status.ACTIVE, Status.DEPRECATED)


def select_jobs(catalog: Catalog, names: Sequence[str], *, every: bool) -> list[Job]:
    """
    Return the jobs that compute what names mean, dependencies first.

    Args:
        catalog: What is deployed.
        names: Feature names, for all their live versions, references like `name==1.0.0`, or the
            names of jobs.
        every: Every live version; then names must be empty.

    Raises:
        ConfigurationError: Both or neither of names and every are given, or a name means nothing
            that a job computes.
        UnknownFeature: A name is not deployed.
        UnknownVersion: A feature has no such version.
    """
    if every == bool(names):
        raise ConfigurationError("name the features to run, or give --all")
    if every:
        return scheduled_jobs(catalog)
    jobs = jobs_of(catalog.features)
    selected: set[str] = set()
    for name in names:
        if any(job.name == name for job in jobs):
            selected.add(name)
            continue
        wanted = _versions(catalog, name)
        computing = {job.name for job in jobs if any(f in wanted for f in job.features)}
        if not computing:
            raise ConfigurationError(
                f"no job computes {name}: {_why_not(wanted)}",
                hint="`python -m feature_repo list` shows what each version is.",
            )
        selected |= computing
    return [job for job in jobs if job.name in selected]


def scheduled_jobs(catalog: Catalog) -> list[Job]:
    """Return the jobs of all live versions, dependencies first."""
    return [
        job
        for job in jobs_of(catalog.features)
        if any(feature.status in _LIVE for feature in job.features)
    ]


def snapshot_features(catalog: Catalog) -> list[FeatureVersion]:
    """Return the feature versions that jobs compute; models are trained on staged ones, too."""
    return [feature for job in jobs_of(catalog.features) for feature in job.features]


def _versions(catalog: Catalog, name: str) -> list[FeatureVersion]:
    feature_name, _, version = name.partition("==")
    if version:
        return [catalog.select(feature_name, version)]
    return [feature for feature in catalog.versions(feature_name) if feature.status in _LIVE]


def _why_not(wanted: Sequence[FeatureVersion]) -> str:
    if not wanted:
        return "it has no live version, and others must be named like name==1.0.0"
    if all(feature.status is Status.RETIRED for feature in wanted):
        return "it is retired"
    return "it is computed on demand, for each request"
