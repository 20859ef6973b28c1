"""`schedule`: run every job at its frequency."""

import asyncio
import signal
from typing import Annotated

import structlog
import typer

from feature_repo.registry.catalog import read_catalog
from foundation.metrics_server import serve_metrics
from foundation.settings import Settings, load_settings
from foundation.tracing import traced
from transformations.selection import scheduled_jobs

_log = structlog.get_logger()


def schedule(
    *,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of /metrics; by default that of the settings."),
    ] = None,
) -> None:
    """
    Run the jobs of all live feature versions at their frequencies, until told to stop.

    Each run starts early by as long as the last ones took, so that values are replaced before they
    expire. After midnight, UTC, the day's snapshot is made, and what is older than the settings
    keep is dropped; a night that was missed or failed is made up for. What is deployed meanwhile is
    taken up within a minute.

    After each run its values' drift is measured, beside the jobs, and at most once in
    FEATURE_STORE_DRIFT_INTERVAL_SECONDS. /metrics tells whether the schedule is alive; how the jobs
    went is told by `python -m monitoring exporter`.

    SIGTERM and SIGINT let running jobs finish. Two schedules may run for the sake of availability:
    a job runs in one of them at a time.
    """
    settings = load_settings()
    if metrics_port is not None:
        settings = settings.model_copy(update={"schedule_metrics_port": metrics_port})
    with traced(settings, "feature-schedule"):
        asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    # Great Expectations is slow to import.
    from transformations.drift.after_run import measure_after_run  # noqa: PLC0415
    from transformations.instrumentation import SchedulerInstruments  # noqa: PLC0415
    from transformations.nightly import keep_snapshots  # noqa: PLC0415
    from transformations.schedule import Schedule  # noqa: PLC0415

    instruments = SchedulerInstruments()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    address = settings.schedule_metrics_host, settings.schedule_metrics_port
    with serve_metrics(instruments.registry, *address) as port:
        _log.info("metrics_served", port=port)
        await Schedule(
            settings,
            lambda: scheduled_jobs(read_catalog()),
            instruments,
            nightly=lambda: keep_snapshots(settings),
            after_run=lambda job: measure_after_run(settings, job),
        ).run(stop)
