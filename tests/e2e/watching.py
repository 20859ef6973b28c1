"""A feature store of real processes that a real Prometheus and Alertmanager watch."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

from foundation import embedded
from foundation.settings import PROJECT_ROOT

PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
_DEPLOY = PROJECT_ROOT / "deploy"
_SECONDS_A_MINUTE = 2


@dataclass
class Watched:
    """
    A store under watch.

    Attributes:
        folder: Of its data.
        environment: Of its commands.
        ports: Where its processes listen, by name.
        told: What Alertmanager has told so far: name and status of alerts, in order.
        barked: How often it has told that it is there.
        processes: What runs in the background, by name.
    """

    folder: Path
    environment: Mapping[str, str]
    ports: Mapping[str, int]
    told: list[tuple[str, str]] = field(default_factory=list)
    barked: int = 0
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, *command: str, expect: int = 0) -> None:
        """Run one of our modules to its end."""
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", *command],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr

    @contextlib.contextmanager
    def running(self, name: str, *command: str) -> Iterator[None]:
        """Run a program in the background; its output is in the folder."""
        with (self.folder / f"{name}.log").open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - ours, or found where Debian puts it
                command, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        self.processes[name] = process
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)

    def url(self, name: str) -> str:
        """Return where a process answers."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def asked(self, expression: str) -> list[float]:
        """Return what Prometheus answers to a query, series by series."""
        answer = httpx.get(
            f"{self.url('prometheus')}/api/v1/query", params={"query": expression}, timeout=10
        )
        answer.raise_for_status()  # 503 while it starts
        return [float(series["value"][1]) for series in answer.json()["data"]["result"]]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire at the moment and are meant for somebody."""
        found = httpx.get(f"{self.url('prometheus')}/api/v1/alerts", timeout=10).json()
        alerts: list[dict[str, Any]] = found["data"]["alerts"]
        return {
            each["labels"]["alertname"]
            for each in alerts
            if each["state"] == "firing" and each["labels"]["severity"] != "none"
        }

    def knows(self, metric: str) -> bool:
        """Tell whether any of the scraped processes has a metric, also one without series yet."""
        answer = httpx.get(
            f"{self.url('prometheus')}/api/v1/metadata", params={"metric": metric}, timeout=10
        )
        return bool(answer.json()["data"])


def eventually(holds: Callable[[], bool], *, within: float, why: Callable[[], object]) -> None:
    """Wait until something holds, and fail with the reason if it never does."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if holds():
                return
        time.sleep(0.2)
    message = f"not within {within} s: {why()}"
    raise AssertionError(message)


@contextlib.contextmanager
def stores(folder: Path) -> Iterator[Watched]:
    """Yield a feature store that has servers and no processes yet."""
    names = ("gateway", "scheduler", "exporter", "prometheus", "alertmanager", "receiver")
    data = folder / "data"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("PROMETHEUS_", "FEATURE_"))},
        "FEATURE_STORE_DATA_DIR": str(data),
        "FEATURE_STORE_SNAPSHOT_URL": (folder / "snapshots").as_uri(),
        "FEATURE_STORE_AUTHENTICATION": "off",
        "FEATURE_STORE_EXPORTER_REFRESH_SECONDS": "1",
        "FEATURE_STORE_EXPORTER_COUNT_SECONDS": "2",
        "FEATURE_STORE_SCHEDULE_REFRESH_SECONDS": "2",
        "FEATURE_STORE_DRIFT_INTERVAL_SECONDS": "0",
        "FEATURE_STORE_RETRY_DELAYS_SECONDS": "[]",
    }
    embedded.start(data)
    try:
        yield Watched(folder, environment, _free_ports(*names))
    finally:
        embedded.stop(data)


@contextlib.contextmanager
def watchers(store: Watched) -> Iterator[None]:
    """Let Prometheus and Alertmanager watch a store, as deployed but in a hurry."""
    assert PROMETHEUS is not None
    assert ALERTMANAGER is not None
    (store.folder / "rules.yml").write_text(_hurried_rules())
    (store.folder / "prometheus.yml").write_text(yaml.safe_dump(_prometheus(store)))
    (store.folder / "alertmanager.yml").write_text(_alertmanager(store))
    listen = "--web.listen-address=127.0.0.1:{}"
    with (
        _receiver(store),
        store.running(
            "alertmanager",
            ALERTMANAGER,
            f"--config.file={store.folder / 'alertmanager.yml'}",
            f"--storage.path={store.folder / 'alertmanager'}",
            "--cluster.listen-address=",
            listen.format(store.ports["alertmanager"]),
        ),
        store.running(
            "prometheus",
            PROMETHEUS,
            f"--config.file={store.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={store.folder / 'prometheus'}",
            # What was sent before Alertmanager listened must not wait for a minute.
            "--rules.alert.resend-delay=1s",
            listen.format(store.ports["prometheus"]),
        ),
    ):
        yield


def _prometheus(store: Watched) -> Mapping[str, Any]:
    """Return what is deployed, with other addresses, and a scrape a second."""
    config: dict[str, Any] = yaml.safe_load((_DEPLOY / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    [alertmanagers] = config["alerting"]["alertmanagers"]
    alertmanagers["static_configs"] = [{"targets": [f"127.0.0.1:{store.ports['alertmanager']}"]}]
    for scraped in config["scrape_configs"]:
        scraped.pop("authorization", None)
        port = store.ports[scraped["job_name"]]
        scraped["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    return config


def _hurried_rules() -> str:
    """
    Return the deployed rules; a minute of theirs takes two seconds, their hour two minutes.

    What is slow is said of production, not of a machine that runs other tests besides.
    """

    def hurried(found: re.Match[str]) -> str:
        minutes = int(found[2]) * (60 if found[3] == "h" else 1)
        return f"{found[1]}{minutes * _SECONDS_A_MINUTE}s"

    text = (_DEPLOY / "prometheus/rules.yml").read_text().replace("> 0.05", "> 2")
    return re.sub(r"(\[|for: |offset )(\d+)([mh])", hurried, text)


def _alertmanager(store: Watched) -> str:
    """Return what is deployed, with another receiver, and without time to gather alerts."""
    text = (_DEPLOY / "alertmanager/alertmanager.yml").read_text()
    text = re.sub(r"group_wait: .*", "group_wait: 1s", text)
    text = re.sub(r"group_interval: .*", "group_interval: 1s", text)
    return re.sub(r"url_file: /run/secrets/", f"url: {store.url('receiver')}/", text)


@contextlib.contextmanager
def _receiver(store: Watched) -> Iterator[None]:
    """Take what Alertmanager tells."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/watchdog-url":
                store.barked += 1
            else:
                for alert in body["alerts"]:
                    assert alert["annotations"]["summary"], alert
                    store.told.append((alert["labels"]["alertname"], alert["status"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", store.ports["receiver"]), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _free_ports(*names: str) -> Mapping[str, int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in names]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return {name: probe.getsockname()[1] for name, probe in zip(names, probes, strict=True)}
