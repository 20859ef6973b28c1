"""Gateways that fail: sent again while it may help, and never for longer than the budget."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from serving_gateway.client import (
    AsyncFeatureStoreClient,
    ClientSettings,
    FeatureStoreClient,
    GatewayUnavailable,
    MalformedRequest,
    TimedOut,
    TooManyRequests,
    UnexpectedAnswer,
)

GOOD = (200, b'{"served_version": "1.0.0"}')
PATIENT = ClientSettings(budget_seconds=20.0)


class Script(ThreadingHTTPServer):
    """Answers requests one after the other as a list says; the last entry goes on."""

    daemon_threads = True

    def __init__(self, *answers: tuple[int, bytes] | Callable[[socket.socket], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers)
        self.timeouts: list[int] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Script

    def do_GET(self) -> None:
        self.server.timeouts.append(int(self.headers["X-Timeout-Ms"]))
        place = min(len(self.server.timeouts), len(self.server.answers)) - 1
        answer = self.server.answers[place]
        if callable(answer):
            answer(self.connection)
            self.close_connection = True
            return
        status, body = answer
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def play() -> Iterator[Callable[..., Script]]:
    """Return what starts a server that follows a script."""
    running: list[Script] = []

    def start(*answers: tuple[int, bytes] | Callable[[socket.socket], None]) -> Script:
        script = Script(*answers)
        threading.Thread(target=script.serve_forever).start()
        running.append(script)
        return script

    yield start
    for script in running:
        script.shutdown()
        script.server_close()


def _hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def _say_nothing(_: socket.socket) -> None:
    time.sleep(1.0)


def _drip(connection: socket.socket) -> None:
    """Begin an answer that never ends."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    with contextlib.suppress(OSError):  # the client has had enough
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)


def _ask_for_later(connection: socket.socket) -> None:
    connection.sendall(
        b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n"
    )


def _wait_for_version(url: str, settings: ClientSettings) -> str | None:
    with FeatureStoreClient(url, settings=settings) as store:
        return store.get_feature_version("f")


def _await_version(url: str, settings: ClientSettings) -> str | None:
    async def read() -> str | None:
        async with AsyncFeatureStoreClient(url, settings=settings) as store:
            return await store.get_feature_version("f")

    return asyncio.run(read())


either = pytest.mark.parametrize("read_version", [_wait_for_version, _await_version])
ReadVersion = Callable[[str, ClientSettings], str | None]


@either
def test_an_answer_in_drips_is_given_up(
    play: Callable[..., Script], read_version: ReadVersion
) -> None:
    """However many pieces come in time, the whole did not."""
    script = play(_drip)
    with pytest.raises(TimedOut):
        read_version(script.url, ClientSettings(budget_seconds=0.3))
    assert len(script.timeouts) == 1


@either
def test_a_wait_beyond_the_budget_is_not_begun(
    play: Callable[..., Script], read_version: ReadVersion
) -> None:
    """The caller learns at once, and why."""
    script = play(_ask_for_later)
    started = time.monotonic()
    with pytest.raises(TooManyRequests):
        read_version(script.url, PATIENT)
    assert time.monotonic() - started < PATIENT.budget_seconds
    assert len(script.timeouts) == 1


@pytest.mark.parametrize("failure", [(503, b"{}"), (502, b"no JSON"), _hang_up])
def test_a_passing_failure_is_not_seen(
    play: Callable[..., Script], failure: tuple[int, bytes] | Callable[[socket.socket], None]
) -> None:
    """The third answer is good."""
    script = play(failure, failure, GOOD)
    with FeatureStoreClient(script.url, settings=PATIENT) as store:
        assert store.get_feature_version("f") == "1.0.0"
    assert len(script.timeouts) == 3
    assert script.timeouts == sorted(script.timeouts, reverse=True)


def test_a_lasting_failure_is_told(play: Callable[..., Script]) -> None:
    """After as many attempts as are set."""
    script = play((503, b'{"detail": "the catalog has not been read yet"}'))
    with (
        FeatureStoreClient(script.url, settings=PATIENT) as store,
        pytest.raises(GatewayUnavailable, match="catalog"),
    ):
        store.get_feature_version("f")
    assert len(script.timeouts) == 3


def test_a_silent_gateway_is_given_up(play: Callable[..., Script]) -> None:
    """When the budget is spent."""
    script = play(_say_nothing)
    settings = ClientSettings(budget_seconds=0.2)
    with FeatureStoreClient(script.url, settings=settings) as store, pytest.raises(TimedOut):
        store.get_feature_version("f")
    assert script.timeouts[0] <= 200


@pytest.mark.parametrize(
    ("answer", "kind"),
    [((422, b'{"detail": "no"}'), MalformedRequest), ((200, b"<html>"), UnexpectedAnswer)],
)
def test_what_will_not_pass_is_sent_once(
    play: Callable[..., Script], answer: tuple[int, bytes], kind: type[Exception]
) -> None:
    """A refusal stays one."""
    script = play(answer)
    with FeatureStoreClient(script.url, settings=PATIENT) as store, pytest.raises(kind):
        store.get_feature_version("f")
    assert len(script.timeouts) == 1


def test_nobody_there() -> None:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with (
        FeatureStoreClient(f"http://127.0.0.1:{port}", settings=PATIENT) as store,
        pytest.raises(GatewayUnavailable, match="ConnectError"),
    ):
        store.get_feature_version("f")
