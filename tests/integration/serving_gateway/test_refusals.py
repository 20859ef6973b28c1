"""A request that can't be answered is told what to change."""

import json
import socket

import httpx
import pytest

from tests.integration.serving_gateway.conftest import BATCH, read_batch, read_metrics

ASKED = b'{"entity_ids": ["p1"], "feature_names": ["popularity_score"]}'


@pytest.mark.parametrize(
    ("path", "status", "mentioned"),
    [
        ("/v1/features/popularity", 404, "popularity_score"),
        ("/v1/features/popularity/values/p1", 404, "popularity_score"),
        ("/v1/features/popularity_score/values/p1?version=9.0.0", 404, "1.0.0 (active)"),
        ("/v1/features/popularity_score/values/p1?version=new", 422, "version"),
        ("/v1/features/popularity_score/values/p1?verson=1.0.0", 422, "verson"),
        ("/v1/features/popularity_score/values/", 422, "entity_id"),
        ("/v2", 404, "/docs"),
        ("/v1/features/batch/", 404, "batch"),
    ],
)
def test_a_wrong_request_is_told_what_to_change(
    gateway: httpx.Client, path: str, status: int, mentioned: str
) -> None:
    """A problem document with the status, and a hint of what exists."""
    response = gateway.get(path, follow_redirects=True)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert mentioned in problem["detail"] + problem["hint"]


@pytest.mark.parametrize(
    ("body", "status", "mentioned"),
    [
        ('{"entity_ids": ["p1"]', 422, "JSON"),
        ("[]", 422, "body"),
        ('{"entity_ids": ["p1"], "feature_names": []}', 422, "feature_names"),
        ('{"entity_ids": [], "feature_names": ["popularity_score"]}', 422, "entity_ids"),
        ('{"entity_ids": [7], "feature_names": ["popularity_score"]}', 422, "entity_ids.0"),
        ('{"entity_ids": [""], "feature_names": ["popularity_score"]}', 422, "entity_ids.0"),
        ('{"entity_ids": ["p1"], "feature_names": ["popularity"]}', 404, "popularity_score"),
        ('{"entity_ids": ["p1"], "features": ["popularity_score"]}', 422, "features"),
        (
            '{"entity_ids": ["p1"], "feature_names": ["popularity_score"], "version": "9.0.0"}',
            404,
            "1.0.0 (active)",
        ),
        ("{" + '"a":{' * 5_000, 422, "JSON"),
        ('{"entity_ids": ["\\ud800"], "feature_names": ["popularity_score"]}', 422, "JSON"),
    ],
)
def test_a_wrong_batch_is_told_what_to_change(
    gateway: httpx.Client, body: str, status: int, mentioned: str
) -> None:
    """The problem names the field, or what exists."""
    response = gateway.post(BATCH, content=body)
    assert response.status_code == status, response.text
    problem = response.json()
    assert mentioned in problem["detail"] + problem["hint"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"feature_names": ["popularity_score"], "entity_ids": [%b]}'
        % b",".join([b"7"] * 100_000),
        b"{%b}" % b",".join(b'"%d":1' % number for number in range(100_000)),
    ],
)
def test_a_body_that_is_wrong_all_over_gets_a_short_answer(
    gateway: httpx.Client, body: bytes
) -> None:
    """The first errors are told, not a hundred thousand."""
    response = gateway.post(BATCH, content=body)
    assert response.status_code == 422
    assert len(response.content) < 4_096


@pytest.mark.parametrize(
    ("entities", "features", "mentioned"),
    [(1_001, 1, "1000 entities"), (1, 101, "100 features")],
)
def test_too_large_a_batch_is_refused(
    gateway: httpx.Client, entities: int, features: int, mentioned: str
) -> None:
    """Beyond the limits the answer is 413, and says what is allowed."""
    response = gateway.post(
        BATCH,
        json={
            "entity_ids": [f"p{n}" for n in range(entities)],
            "feature_names": [f"f{n}" for n in range(features)],
        },
    )
    assert response.status_code == 413
    assert mentioned in response.json()["hint"]


def test_the_largest_batch_is_answered(gateway: httpx.Client) -> None:
    """Exactly at the limit is allowed."""
    answer = read_batch(
        gateway, entity_ids=[f"p{n}" for n in range(1_000)], feature_names=["popularity_score"]
    )
    assert len(answer["values"]) == 1_000


@pytest.mark.parametrize("chunked", [False, True])
def test_too_long_a_body_is_refused(gateway: httpx.Client, *, chunked: bool) -> None:
    """Whether it tells its length or not, a body beyond the limit is not read to its end."""
    body = b" " * 1_048_577
    content = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    response = gateway.post(BATCH, content=content if chunked else body)
    assert response.status_code == 413
    assert "1048576 bytes" in response.json()["detail"]


def test_a_caller_who_hangs_up_is_no_failure(gateway: httpx.Client) -> None:
    """An incomplete body counts as the caller's error, not as ours."""
    counted = f'http_requests_total{{method="POST",route="{BATCH}",status="400"}}'
    assert gateway.base_url.port is not None
    with socket.create_connection((gateway.base_url.host, gateway.base_url.port)) as connection:
        head = f"POST {BATCH} HTTP/1.1\r\nhost: gateway\r\ncontent-length: 100\r\n\r\n{{"
        connection.sendall(head.encode())
    for _ in range(1_000):
        if read_metrics(gateway).get(counted) == 1.0:
            return
    pytest.fail("the request was not counted")


@pytest.mark.parametrize(
    "request_text",
    [
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: abc\r\n\r\n",
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        "POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "BREW {path} HTTP/1.1\r\nhost: x\r\n\r\n",
        "\x16\x03\x01\x02\r\n\r\n",
    ],
    ids=["length", "two lengths", "chunk", "method", "TLS"],
)
def test_what_is_no_http_is_refused(gateway: httpx.Client, request_text: str) -> None:
    """With a problem document, too."""
    assert gateway.base_url.port is not None
    with socket.create_connection((gateway.base_url.host, gateway.base_url.port)) as connection:
        connection.sendall(request_text.replace("{path}", BATCH).encode())
        answer = b""
        while received := connection.recv(65_536):
            answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["detail"] == "Invalid HTTP request received."


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (ASKED, {"content-type": "text/plain"}, 200),
        (b"entity_ids=p1", {"content-type": "application/x-www-form-urlencoded"}, 422),
        (ASKED.decode().encode("utf-16"), {"content-type": "application/json"}, 422),
        (ASKED.replace(b"p1", b"\xff"), {"content-type": "application/json"}, 422),
        (b"\x1f\x8b\x08\x00", {"content-encoding": "gzip"}, 422),
        (b"", {}, 422),
        (ASKED, {"X-Timeout-Ms": "1e3"}, 422),
        (ASKED, {"X-Timeout-Ms": "\u00b2"}, 422),
        (ASKED, {"X-Timeout-Ms": "000000001" + "0" * 5_000}, 422),
        (ASKED, {"X-Timeout-Ms": "60001"}, 422),
        (ASKED, {"X-Timeout-Ms": "60000"}, 200),
    ],
)
def test_bodies_are_json_whatever_they_say_they_are(
    gateway: httpx.Client, body: bytes, headers: dict[str, str], status: int
) -> None:
    """What is no UTF-8 JSON is malformed, and so are headers that make no sense."""
    encoded = httpx.Headers(headers, encoding="latin-1")
    response = gateway.post(BATCH, content=body, headers=encoded)
    assert response.status_code == status
    kind = "application/json" if status == 200 else "application/problem+json"
    assert response.headers["content-type"] == kind


@pytest.mark.parametrize("text", ["%00", "%ff%fe", "%ed%a0%80", "%2e%2e"])
def test_strange_paths_are_ids_like_others(gateway: httpx.Client, text: str) -> None:
    """Nobody's, but no failure."""
    response = gateway.get(f"/v1/features/popularity_score/values/x{text}")
    assert response.status_code == 200
    assert response.json()["served_from"] == "default"
    assert gateway.get(f"/v1/features/x{text}").status_code == 404
