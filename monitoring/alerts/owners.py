"""Whose an alert is, as a label that Alertmanager can route by."""

from monitoring.promql import by_version


def with_job(of_versions: str) -> str:
    """Return what is known of feature versions, with the job that computes each and its owner."""
    return (
        f"({of_versions}) * on (feature_name, version) group_left (job_name, owner) "
        "max by (job_name, feature_name, version, owner) (batch_job_info)"
    )


def with_owner(of_versions: str) -> str:
    """Return what is known of feature versions, with their owners; for a day also without them."""
    return (
        f"({of_versions}) * on (feature_name, version) group_left (owner) "
        "(max by (feature_name, version, owner) (feature_info) or on (feature_name, version) "
        f"{by_version('last_over_time(feature_info[1d])')})"
    )


def job_with_owner(of_jobs: str) -> str:
    """Return what is known of jobs, with their owners."""
    return (
        f"({of_jobs}) * on (job_name) group_left (owner) max by (job_name, owner) (batch_job_info)"
    )
