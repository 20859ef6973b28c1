"""
Several worker processes on one port.

The supervisor binds the port, starts each worker as a process of its own (nothing is shared but the
port, so every connection is opened by the process that uses it), and replaces one that dies.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess

from feature_repo.registry.catalog import Catalog
from foundation.logs import configure_logs
from foundation.settings import load_settings
from serving_gateway.app import create_app
from serving_gateway.instrumentation import Instruments
from serving_gateway.shared_metrics import VARIABLE, fold_past, metrics_folder

WORKER_APP = "serving_gateway.workers:worker_app"
# Beyond the time that requests under way have: for the application to close its connections.
_CLOSING_SECONDS = 10.0
_PONG_SECONDS = 1.0


def worker_app(catalog_reader: Callable[[], Catalog] | None = None) -> ASGIApp:
    """Return the application of one worker, whose metrics are added to those of the others."""
    settings = load_settings()
    configure_logs(settings)
    _end_with_supervisor()
    return create_app(
        settings,
        catalog_reader=catalog_reader,
        instruments=Instruments(Path(os.environ[VARIABLE])),
    )


def serve_with_workers(config: uvicorn.Config) -> bool:
    """
    Serve until told to stop.

    Args:
        config: How many workers, and of what.

    Returns:
        Whether it ended because it was told to, not because workers can't start.
    """
    with metrics_folder() as folder:
        supervisor = _Supervisor(config, folder)
        supervisor.run()
        return supervisor.could_start


class _Supervisor(Multiprocess):
    """uvicorn's supervisor, keeping the metrics of workers that died, and ending in time."""

    def __init__(self, config: uvicorn.Config, folder: Path) -> None:
        super().__init__(config, [config.bind_socket()])
        self._folder = folder

    @property
    def could_start(self) -> bool:
        """Whether no worker failed before it served."""
        return all(process.exitcode != STARTUP_FAILURE for process in self.processes)

    def keep_subprocess_alive(self) -> None:
        """Replace workers that died, and fold their metrics."""
        super().keep_subprocess_alive()
        living = [process.pid for process in self.processes if process.pid is not None]
        fold_past(self._folder, living)

    def terminate_all(self) -> None:
        """Let the workers finish; whoever would hold the port open without serving goes at once."""
        for sock in self.sockets:
            sock.close()
        for process in self.processes:
            if process.ping(_PONG_SECONDS) and not process.is_ready(_PONG_SECONDS):
                process.kill()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for the workers as long as they may take, and no longer."""
        # They linger for as long again at most before uvicorn begins to count.
        patience = 2 * (self.config.timeout_graceful_shutdown or 0) + _CLOSING_SECONDS
        deadline = time.monotonic() + patience
        for process in self.processes:
            process.process.join(max(0.0, deadline - time.monotonic()))
            if process.process.is_alive():
                process.process.kill()
        super().join_all()


def _end_with_supervisor() -> None:
    """Stop when the supervisor dies; nobody could stop or replace this worker any more."""
    supervisor = multiprocessing.parent_process()
    assert supervisor is not None  # noqa: S101 - workers have one

    def watch() -> None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
