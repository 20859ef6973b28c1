"""`alerts`: the rules by which Prometheus tells somebody."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from foundation.cli import console
from foundation.settings import PROJECT_ROOT, load_settings
from monitoring.alerts import ALERTS
from monitoring.alerts.rules_file import prometheus_rule_yaml, rules_yaml

DEPLOY_FOLDER = PROJECT_ROOT / "deploy"
_FILES = {
    "prometheus/rules.yml": rules_yaml,
    "kubernetes/base/prometheus-rule.yaml": prometheus_rule_yaml,
}


def alerts(
    *,
    out: Annotated[
        Path, typer.Option(help="The folder to write to, or to compare with.")
    ] = DEPLOY_FOLDER,
    runbooks: Annotated[
        str | None,
        typer.Option(
            help="Where the runbooks are published; alerts link there. By default as the settings "
            "say."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 2 if a file is out of date.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--list", help="Only show what there is to be told of.")
    ] = False,
) -> None:
    """
    Write the alerts as rules of Prometheus: a file, and a resource for Kubernetes.

    Thresholds of a feature (staleness tolerance, hit rate, share of defaults, drift) and of a job
    (interval, usual duration) are metrics of the exporter, so the rules need not be written anew
    when a feature is added.
    """
    if show:
        console.print(_table())
        return
    published = load_settings().runbooks_url if runbooks is None else runbooks
    for name, write in _FILES.items():
        path, text = out / name, write(ALERTS, runbooks=published)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            console.print(f"Wrote {path}", highlight=False)
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            console.print(f"{path.name} is out of date: run `python -m monitoring alerts`.")
            raise typer.Exit(2)


def _table() -> Table:
    table = Table(title="Alerts")
    for heading in ("alert", "severity", "after", "what it means"):
        table.add_column(heading)
    for alert in ALERTS:
        hold = f"{alert.hold.total_seconds() / 60:g} min" if alert.hold else "at once"
        table.add_row(alert.name, alert.severity, hold, alert.description)
    return table
