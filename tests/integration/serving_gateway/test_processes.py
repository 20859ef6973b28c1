"""A gateway as operators run it: in processes of its own, that die, are replaced, and stopped."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import httpx
import pytest

from feature_repo.training.answers import read_answers
from foundation.settings import Settings
from tests.integration.serving_gateway.conftest import BATCH, read_metrics

_HOST = "127.0.0.1"
_ASKED = {"entity_ids": ["p1", "p2"], "feature_names": ["popularity_score"]}
_COUNTED = f'http_requests_total{{method="POST",route="{BATCH}",status="200"}}'


_CLI = ("-m", "serving_gateway", "serve", "--workers", "2", "--port")
_LIGHT = ("-m", "tests.integration.serving_gateway.light")


@contextlib.contextmanager
def _serving(
    settings: Settings, *command: str, workers: int, **changes: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a gateway with authentication off, and yield the process and its port."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port = probe.getsockname()[1]
    environment = _environment(settings) | changes
    arguments = [sys.executable, *command, str(port)]
    if command == _LIGHT:
        arguments.append(str(workers))
    with subprocess.Popen(arguments, env=environment) as process:  # noqa: S603 - our own
        try:
            _await(lambda: _answers(port))
            if workers > 1:
                _await(lambda: len(_workers(process)) == workers)
            yield process, port
        finally:
            process.kill()


def _environment(settings: Settings) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PROMETHEUS_MULTIPROC")}
    ours = {"DATA_DIR": str(settings.data_dir), "AUTHENTICATION": "off"}
    changed = {f"FEATURE_STORE_{name}": value for name, value in ours.items()}
    # A supervisor that is killed leaves its folder of metrics behind.
    return {**kept, **changed, "TMPDIR": str(settings.data_dir)}


def _answers(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://{_HOST}:{port}/ready").is_success
    return False


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def _workers(process: subprocess.Popen[bytes]) -> AbstractSet[int]:
    """Return the ids of a supervisor's workers: of its children, those that listen."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return {
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    }


class _Load:
    """
    Clients that ask one request after the other, each on one connection until it is closed.

    Attributes:
        answered: How many requests got an answer.
        lost: What became of those that were sent and did not.
    """

    def __init__(self, port: int, *, clients: int = 6) -> None:
        self._url = f"http://{_HOST}:{port}"
        self._stop = threading.Event()
        self.answered = 0
        self.lost: list[str] = []
        self._counting = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url) as client:
            while not self._stop.is_set():
                try:
                    response = client.post(BATCH, json=_ASKED)
                except httpx.ConnectError:  # nobody listens any more
                    return
                except httpx.HTTPError as error:
                    self.lost.append(repr(error))
                else:
                    with self._counting:
                        self.answered += 1
                    if response.status_code != 200:
                        self.lost.append(response.text)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_workers_share_metrics_and_are_replaced(applied: Settings) -> None:
    """Sums on whichever answers; what a killed worker counted stays; no request is lost."""
    with _serving(applied, *_CLI, workers=2) as (process, port):
        with _Load(port) as load:
            _await(lambda: load.answered > 200)
        assert not load.lost
        _check_sums(port, load.answered)
        before = _workers(process)
        os.kill(min(before), signal.SIGKILL)
        _await(lambda: len(_workers(process) - before) == 1)
        _check_sums(port, load.answered)
        with _Load(port) as last:
            _await(lambda: last.answered > 100)
            process.terminate()
            assert process.wait(timeout=30) == 0
        assert not last.lost
        assert all(not Path(f"/proc/{worker}").exists() for worker in before)


def _check_sums(port: int, answered: int) -> None:
    """Ask several times on new connections, so that each worker should answer some."""

    def counted() -> float:
        with httpx.Client(base_url=f"http://{_HOST}:{port}") as client:
            return read_metrics(client)[_COUNTED]

    _await(lambda: counted() == answered)  # what others have gathered comes a little later
    assert {counted() for _ in range(6)} == {answered}


def test_workers_keep_answers_in_files_of_their_own(applied: Settings, tmp_path: Path) -> None:
    """Every line of every answer, whole."""
    changes = {
        "FEATURE_STORE_SERVED_SAMPLE_SHARE": "1",
        "FEATURE_STORE_SERVED_SAMPLE_PATH": str(tmp_path),
    }
    total = 0
    with _serving(applied, *_CLI, workers=2, **changes) as (process, port):
        for worker in _workers(process):
            with _stopped(worker), _Load(port) as load:  # so that the other one answers
                _await(lambda: load.answered > 50)
            total += load.answered
        process.terminate()
        assert process.wait(timeout=30) == 0
    written = [list(read_answers(file)) for file in tmp_path.iterdir()]
    assert len(written) >= 2
    asked = Counter(answer.keys["product_id"] for each in written for answer in each)
    assert asked == dict.fromkeys(_ASKED["entity_ids"], total)


@contextlib.contextmanager
def _stopped(process_id: int) -> Iterator[None]:
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)


def test_a_dead_supervisor_takes_its_workers_along(applied: Settings) -> None:
    """Nobody could replace or stop them."""
    with _serving(applied, *_LIGHT, workers=2) as (process, port):
        process.kill()
        _await(lambda: not _answers(port))


@pytest.mark.parametrize("workers", [1, 2])
def test_who_is_about_to_stop_is_not_ready(applied: Settings, workers: int) -> None:
    """Until what was under way is answered, everybody is told so, and served all the same."""
    with (
        _serving(applied, *_LIGHT, workers=workers) as (process, port),
        contextlib.closing(HTTPConnection(_HOST, port, timeout=10)) as open_before,
        contextlib.closing(HTTPConnection(_HOST, port, timeout=10)) as begun,
    ):
        _begin_batch(begun)
        assert _status(open_before, "/ready") == 200
        process.terminate()
        _await(lambda: _status_anew(port, "/ready") == 503)
        for path, status in (("/health", 200), ("/ready", 503)):
            assert _status_anew(port, path) == status
        if workers == 1:  # of several, one that is idle stops at once
            assert _status(open_before, "/health") == 200
            assert _status(open_before, "/ready") == 503
        begun.send(b"}")
        assert begun.getresponse().status == 422
        assert process.wait(timeout=30) == 0


def test_a_second_signal_is_not_kept_waiting(applied: Settings) -> None:
    """Nobody is served any more but who has begun."""
    with (
        _serving(applied, *_LIGHT, workers=1) as (process, port),
        contextlib.closing(HTTPConnection(_HOST, port, timeout=10)) as begun,
    ):
        _begin_batch(begun)
        process.terminate()
        _await(lambda: _status_anew(port, "/ready") == 503)
        process.terminate()
        _await(lambda: _status_anew(port, "/ready") is None)
        begun.send(b"}")
        assert begun.getresponse().status == 422
        assert process.wait(timeout=30) == 0


def _begin_batch(connection: HTTPConnection) -> None:
    """Send half of a request, and wait until it has arrived."""
    connection.putrequest("POST", BATCH)
    connection.putheader("content-length", "2")
    connection.endheaders(b"{")
    assert _answers(int(connection.port))


def _status(connection: HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    return response.status


def _status_anew(port: int, path: str) -> int | None:
    """Return the status of an answer on a new connection; None if nobody listens."""
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://{_HOST}:{port}{path}").status_code
    return None


def test_what_is_under_way_is_answered(applied: Settings) -> None:
    """What has begun, and what was on its way on an open connection; then the exit code is 0."""
    changes = {"FEATURE_STORE_SHUTDOWN_TIMEOUT_SECONDS": "3"}
    with (
        _serving(applied, *_LIGHT, workers=1, **changes) as (process, port),
        contextlib.closing(HTTPConnection(_HOST, port, timeout=10)) as begun,
        contextlib.closing(HTTPConnection(_HOST, port, timeout=10)) as idle,
    ):
        idle.request("GET", "/health")
        assert idle.getresponse().read() == b'{"status":"ok"}'
        _begin_batch(begun)
        process.terminate()
        _await(lambda: _status_anew(port, "/ready") is None)
        idle.request("GET", "/health")
        begun.send(b"}")
        for connection, status in ((idle, 200), (begun, 422)):
            response = connection.getresponse()
            assert response.status == status
            assert response.headers["connection"] == "close"
            response.read()
        assert process.wait(timeout=30) == 0


def test_what_takes_too_long_is_given_up(applied: Settings) -> None:
    """A process that must stop waits so long and no longer."""
    changes = {"FEATURE_STORE_SHUTDOWN_TIMEOUT_SECONDS": "2"}
    with (
        _serving(applied, *_LIGHT, workers=1, **changes) as (process, port),
        contextlib.closing(HTTPConnection(_HOST, port)) as begun,
    ):
        _begin_batch(begun)
        process.terminate()
        assert process.wait(timeout=9) == 0


def test_workers_that_can_not_start_are_not_tried_for_ever(applied: Settings) -> None:
    """The port is taken: an error, and an exit code that says so."""
    with socket.create_server((_HOST, 0)) as taken:
        finished = subprocess.run(  # noqa: S603 - our own
            [sys.executable, *_CLI, str(taken.getsockname()[1])],
            env=_environment(applied),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert finished.returncode != 0
    assert "in use" in finished.stderr
