"""The dashboards as Grafana takes them."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.dashboards.features import features
from monitoring.dashboards.jobs import jobs
from monitoring.dashboards.quality import quality
from monitoring.dashboards.serving import serving

_DASHBOARDS = {"serving": serving, "features": features, "jobs": jobs, "quality": quality}


def dashboard_texts() -> dict[str, str]:
    """Return each dashboard's JSON, by name."""
    return {name: _text(make()) for name, make in _DASHBOARDS.items()}


def _text(made: dashboard.Dashboard) -> str:
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"
