"""`exporter`: serve Prometheus metrics of jobs, features and snapshots."""

import signal
import threading
from typing import Annotated

import structlog
import typer

from foundation.settings import load_settings

_log = structlog.get_logger()


def exporter(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address of /metrics; by default that of the settings.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Its port, 0 for any free one; by default likewise."),
    ] = None,
) -> None:
    """
    Serve what the run records and the stores tell as Prometheus metrics, until told to stop.

    It reads in the background, so that a scrape never waits for a store. While one can't be read,
    the last values stay, ages go on growing, `exporter_last_scrape_success` is 0 and
    `monitoring_scrape_errors_total` says which part is concerned. Counters live in PostgreSQL: they
    go on where they were after a restart, and several exporters show the same.
    """
    from monitoring.exporter.server import serve  # noqa: PLC0415 - Ibis is slow to import

    chosen = {"exporter_host": host, "exporter_port": port}
    settings = load_settings().model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serve(settings) as served_port:
        _log.info("metrics_served", port=served_port)
        stop.wait()
