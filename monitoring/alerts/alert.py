"""What an alert is; its expressions are PromQL."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Severity(StrEnum):
    """How soon somebody should look."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
    NONE = "none"


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
