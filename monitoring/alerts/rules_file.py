"""The rules of Prometheus, as YAML: a file of its own, and a resource of Kubernetes."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import yaml

from monitoring.alerts.alert import Alert

_HEADER = "# Made by `python -m monitoring alerts`; `make check` tells when it is out of date.\n"


def rules_yaml(alerts: Iterable[Alert], *, runbooks: str) -> str:
    """
    Return a file of alerting rules.

    Args:
        alerts: Each becomes a rule.
        runbooks: Where the runbooks are: a URL, or a folder of the repository.
    """
    return _yaml(_groups(alerts, runbooks))


def prometheus_rule_yaml(alerts: Iterable[Alert], *, runbooks: str) -> str:
    """Return the same for the Prometheus operator."""
    return _yaml(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "feature-store"},
            "spec": _groups(alerts, runbooks),
        }
    )


def _yaml(content: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return _HEADER + text


def _groups(alerts: Iterable[Alert], runbooks: str) -> Mapping[str, Any]:
    rules = [_rule(alert, runbooks) for alert in alerts]
    return {"groups": [{"name": "feature-store", "rules": rules}]}


def _rule(alert: Alert, runbooks: str) -> Mapping[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": _duration(alert.hold),
        "labels": {"severity": alert.severity.value},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{runbooks.rstrip('/')}/{alert.name}.md",
        },
    }


def _duration(hold: timedelta) -> str:
    return f"{hold // timedelta(minutes=1)}m"
