"""A request that can't be answered is told what to change."""

import socket

import httpx
import pytest

from tests.integration.serving_gateway.conftest import BATCH, read_batch, read_metrics


@pytest.mark.parametrize(
    ("path", "status", "mentioned"),
    [
        ("/v1/features/popularity", 404, "popularity_score"),
        ("/v1/features/popularity/values/p1", 404, "popularity_score"),
        ("/v1/features/popularity_score/values/p1?version=9.0.0", 404, "1.0.0 (active)"),
        ("/v1/features/popularity_score/values/p1?version=new", 422, "version"),
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
