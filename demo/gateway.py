"""A gateway for the demo, in a process of its own on a free port."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import stamina

_HOST = "127.0.0.1"

# Waiting for a process to start is nothing to warn about.
stamina.instrumentation.set_on_retry_hooks([])


@contextlib.contextmanager
def running_gateway() -> Iterator[httpx.Client]:
    """Start a gateway, yield an HTTP client of it, and stop it."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "serving_gateway", "serve", "--host", _HOST]
    with (
        subprocess.Popen([*command, "--port", str(port)], env=_environment()) as process,  # noqa: S603 - our own
        httpx.Client(base_url=f"http://{_HOST}:{port}") as client,
    ):
        try:
            for attempt in stamina.retry_context(
                on=httpx.HTTPError, attempts=None, timeout=60.0, wait_initial=0.2, wait_max=0.5
            ):
                with attempt:
                    client.get("/ready").raise_for_status()
            yield client
        finally:
            process.terminate()


def _environment() -> dict[str, str]:
    """Return this process' environment without what importing Feast has put there."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PROMETHEUS_MULTIPROC")}
    # It listens on loopback, for as long as the demo runs.
    return {**kept, "FEATURE_STORE_AUTHENTICATION": "off"}
