"""Alerts of monitoring itself."""

from datetime import timedelta

from monitoring.alerts.alert import Alert, Severity
from monitoring.promql import EXPORTER

ALERTS = (
    Alert(
        name="Watchdog",
        expression="vector(1)",
        hold=timedelta(0),
        severity=Severity.NONE,
        summary="Alerts are told",
        description="It always fires: whoever hears it no more knows that nothing else is told.",
    ),
    Alert(
        name="ExporterDown",
        expression=f'up{{job="{EXPORTER}"}} == 0 or absent(up{{job="{EXPORTER}"}})',
        hold=timedelta(minutes=2),
        severity=Severity.CRITICAL,
        summary="The exporter does not answer",
        description="Nobody is told of failing jobs, stale features or drift.",
    ),
    Alert(
        name="ExporterBlind",
        expression="min by (instance) (exporter_last_scrape_success) == 0",
        hold=timedelta(minutes=5),
        severity=Severity.CRITICAL,
        summary="The exporter can't read a part of what it watches",
        description="PostgreSQL or the folder of snapshots may be away; what it tells is old.",
    ),
)
