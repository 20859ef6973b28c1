"""Alerts of monitoring itself."""

from datetime import timedelta

from monitoring.alerts.alert import EXPORTER, Alert, Severity

ALERTS = (
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
