"""When somebody is told: alerts as code, from which the rules of Prometheus are written."""

from monitoring.alerts import features, jobs, processes, serving

ALERTS = (*serving.ALERTS, *features.ALERTS, *jobs.ALERTS, *processes.ALERTS)
