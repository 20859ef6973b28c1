"""The rules of Prometheus, as YAML."""

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
    rules = [_rule(alert, runbooks) for alert in alerts]
    groups = {"groups": [{"name": "feature-store", "rules": rules}]}
    text: str = yaml.safe_dump(groups, sort_keys=False, allow_unicode=True, width=100)
    return _HEADER + text


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
