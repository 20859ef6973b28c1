"""What an alert is; its expressions are PromQL."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

# Of the scrapes; see deploy/prometheus/prometheus.yml.
GATEWAY, SCHEDULER, EXPORTER = "gateway", "scheduler", "exporter"


class Severity(StrEnum):
    """How soon somebody should look."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Alert:
    """
    When somebody is told, and what.

    Attributes:
        name: Also that of its runbook.
        expression: PromQL; each series of its result is an alert.
        hold: How long the expression must hold before anybody is told.
        severity: How soon somebody should look.
        summary: One line; a template of Prometheus, with `$labels` and `$value`.
        description: What it means for whom.
    """

    name: str
    expression: str
    hold: timedelta
    severity: Severity
    summary: str
    description: str


def by_version(metric: str) -> str:
    """Return a gauge's value for each feature version, also if several processes expose it."""
    return f"max by (feature_name, version) ({metric})"


def by_job(metric: str) -> str:
    """Return a gauge's value for each job, likewise."""
    return f"max by (job_name) ({metric})"


def with_job(of_versions: str) -> str:
    """Return what is known of feature versions, together with the job that computes each."""
    return (
        f"({of_versions}) * on (feature_name, version) group_left (job_name) "
        "max by (job_name, feature_name, version) (batch_job_info)"
    )
