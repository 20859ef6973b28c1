"""In JSON every line is JSON, whoever wrote it, and says which request it is of."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from foundation.settings import Settings

SCRIPT = "tests.integration.serving_gateway.noisy"


def _lines(settings: Settings, folder: Path) -> list[str]:
    """Return what a gateway writes while a request breaks, and another is none."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PROMETHEUS_MULTIPROC")},
        "FEATURE_STORE_DATA_DIR": str(settings.data_dir),
        "FEATURE_STORE_AUTHENTICATION": "off",
        "FEATURE_STORE_LOG_FORMAT": "json",
        "PYTHONWARNINGS": "always::DeprecationWarning:__main__",
    }
    written = folder / "written"
    with written.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-m", SCRIPT, str(port)],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _await_ready(port)
        asked = {"X-Request-ID": "of-this-one"}
        answer = httpx.get(f"http://127.0.0.1:{port}/broken", headers=asked, trust_env=False)
        assert answer.status_code == 500
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"this is no HTTP\r\n\r\n")
            connection.recv(1_000)
    finally:
        process.terminate()
        process.wait(60)
    return written.read_text().splitlines()


def _await_ready(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).is_success:
                return
        time.sleep(0.05)
    raise AssertionError("it did not start")


def test_every_line_is_an_event(settings: Settings, tmp_path: Path) -> None:
    """Ours, uvicorn's, any library's, and warnings; those of a request name it."""
    events: list[dict[str, Any]] = [json.loads(line) for line in _lines(settings, tmp_path)]
    assert all({"event", "level", "timestamp"} <= event.keys() for event in events)
    by_logger = {event.get("logger"): event for event in events}
    assert {"some.library", "py.warnings", "uvicorn.error"} <= by_logger.keys()
    assert by_logger["some.library"]["event"] == "of two\nlines and more"
    assert by_logger["some.library"]["request_id"] == "of-this-one"
    [broken] = [event for event in events if "RuntimeError" in event.get("exception", "")]
    assert broken["request_id"] == "of-this-one"
