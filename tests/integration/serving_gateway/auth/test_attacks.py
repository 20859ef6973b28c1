"""What is sent to break the gateway breaks nothing, and nobody else notices."""

import socket
import time
from collections.abc import Mapping
from urllib.parse import quote

import httpx
import pytest
import redis
from structlog.testing import capture_logs

from foundation.settings import Settings
from tests.integration.serving_gateway.auth.conftest import bearer, guarded, id_of
from tests.integration.serving_gateway.conftest import BATCH, gateway_on, read_batch

HOSTILE_IDS = [
    "p1:v1.0.0",
    "p1%3Av1.0.0",
    "*",
    "p1\r\nFLUSHALL\r\n",
    "p1\x00p2",
    "' OR '1'='1",
    "'; DROP TABLE api_keys; --",
    '","value":1,"x":"',
    "\\u0022}],{",
    '{"$ne": null}',
    "${jndi:ldap://x}",
    "{0.__class__}",
    "%s%n%x",
    "../../etc/passwd",
    "\x1b[31mred\x1b[0m",
    "\u202egpj.exe",
    "\U0001d4df" * 256,
    "p1\nlevel=error event=forged",
]


@pytest.mark.parametrize("identifier", HOSTILE_IDS)
def test_an_id_stays_an_id(gateway: httpx.Client, valkey: redis.Redis, identifier: str) -> None:
    """It escapes neither its key, nor a query, nor the answer, nor the log."""
    valkey.set("feature:popularity_score:p1:v1.1.0", "0.87")
    valkey.set("feature:popularity_score:p1:v1.0.0", "0.66")
    answer = read_batch(gateway, entity_ids=[identifier], feature_names=["popularity_score"])
    assert answer["values"] == {identifier: {"popularity_score": 0.1}}
    assert valkey.dbsize() == 2
    part = quote(identifier, safe="")
    with capture_logs() as logged:
        single = gateway.get(f"/v1/features/popularity_score/values/{part}")
        refused = gateway.get(f"/v1/features/popularity_score/values/{part}?version=9.0.0")
    if "\n" in identifier:  # no path holds one
        assert single.status_code == 404
    else:
        assert single.status_code == 200
        assert single.json()["entity_id"] == identifier
    assert refused.status_code == 404
    assert {event["event"] for event in logged} == {"request_answered"}
    assert not any(identifier in str(value) for event in logged for value in event.values())


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key", "Cookie"])
def test_a_hostile_header_is_refused_or_ignored(
    guarded_gateway: httpx.Client,
    keys: Mapping[str, str],
    capfd: pytest.CaptureFixture[str],
    header: str,
) -> None:
    """No credential is in an answer or a log, whatever is wrong with it."""
    secret = keys["wrong"][17:]
    for value in (f"Bearer {keys['wrong']}", keys["wrong"], f"Basic {keys['wrong']}"):
        response = guarded_gateway.get("/v1/features", headers={header: value})
        assert response.status_code == 401
        assert secret not in response.text + str(response.headers)
    captured = capfd.readouterr()
    assert secret not in captured.out + captured.err


def test_a_good_credential_is_not_logged(
    applied: Settings, keys: Mapping[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Its id is, with what went wrong for it; not with the next request of the connection."""
    with gateway_on(guarded(applied), authentication="on") as client:
        client.get("/v1/features", headers=bearer(keys["read"]))
        for headers in (bearer(keys["expired"]), {}):
            assert client.get("/v1/features", headers=headers).status_code == 401
    captured = capfd.readouterr()
    logged = captured.out + captured.err
    assert id_of(keys["expired"]) in logged
    assert id_of(keys["read"]) not in logged
    for key in keys.values():
        assert key[17:] not in logged


@pytest.mark.parametrize("chunked", [False, True])
def test_ten_megabytes_are_not_read(
    guarded_gateway: httpx.Client, keys: Mapping[str, str], *, chunked: bool
) -> None:
    """Of a stranger nothing, of a caller no more than the limit."""
    body = b"[" * 10_000_000
    for headers, status in (({}, 401), (bearer(keys["read"]), 413)):
        pieces = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
        content = pieces if chunked else body
        try:
            response = guarded_gateway.post(BATCH, content=content, headers=headers)
        except httpx.WriteError:  # the answer came, and the connection went, before all was sent
            continue
        assert response.status_code == status
    assert guarded_gateway.get("/health").status_code == 200


@pytest.mark.parametrize("opening", [b"[", b'{"entity_ids":', b'{"a":', b"[{"])
def test_deep_nesting_is_refused(
    guarded_gateway: httpx.Client, keys: Mapping[str, str], opening: bytes
) -> None:
    """As malformed, without exhausting the stack."""
    body = opening * (1_000_000 // len(opening))
    response = guarded_gateway.post(BATCH, content=body, headers=bearer(keys["read"]))
    assert response.status_code == 422


_HEAD = f"POST {BATCH} HTTP/1.1\r\nhost: gateway\r\ncontent-length: 100\r\n"


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ("", b""),
        ("GET /heal", b"HTTP/1.1 408"),
        ("GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ", b"HTTP/1.1 408"),
        (_HEAD + "x-api-key: {key}\r\n\r\n{{", b"HTTP/1.1 408"),
        ("\r\n", b"HTTP/1.1 408"),
        ("GET /health HTTP/1.1\r\nhost: x\r\nx-long: " + "a" * 70_000, b"HTTP/1.1 431"),
    ],
    ids=["nothing", "no line", "no head", "no body", "no request", "too long"],
)
def test_a_slow_client_is_given_up(
    slow_address: tuple[str, int], keys: Mapping[str, str], sent: str, answer: bytes
) -> None:
    """Whatever it leaves out, the gateway hangs up; a dripping byte does not help it."""
    with socket.create_connection(slow_address, timeout=10) as connection:
        connection.sendall(sent.replace("{key}", keys["read"]).replace("{{", "{").encode())
        received = b""
        while data := connection.recv(65_536):
            received += data
    assert received.startswith(answer)
    assert bool(received) == bool(answer)


def test_an_answered_request_that_never_ends_is_given_up(slow_address: tuple[str, int]) -> None:
    """The body of a refused stranger may come for a while, not for ever."""
    with socket.create_connection(slow_address, timeout=10) as connection:
        connection.sendall((_HEAD + "\r\n").encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401")
        with pytest.raises(OSError, match=r"reset|pipe"):
            _drip(connection)


def _drip(connection: socket.socket) -> None:
    for _ in range(500):
        connection.sendall(b"a")
        time.sleep(0.02)
