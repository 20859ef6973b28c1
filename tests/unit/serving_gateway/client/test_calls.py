"""What the client sends, and how parts of an answer become one."""

import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving_gateway.client import (
    BatchAnswer,
    ClientError,
    ClientSettings,
    GatewayUnavailable,
    TooManyRequests,
    UnexpectedAnswer,
    UnknownName,
)
from serving_gateway.client.calls import (
    Backoff,
    Retried,
    batch_calls,
    read_answer,
    timeout_header,
)

names = st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=9, unique=True)


def _answered(body: dict[str, Any]) -> dict[str, Any]:
    """Answer a batch as the gateway would, with values that tell what was asked."""
    origin = {
        "status": "PRESENT",
        "served_from": "online",
        "version": "1.0.0",
        "event_timestamp": "2026-11-23T00:00:00Z",
        "staleness_seconds": 1.0,
    }
    return {
        "values": {e: {f: f"{e}/{f}" for f in body["feature_names"]} for e in body["entity_ids"]},
        "versions": dict.fromkeys(body["feature_names"], "1.0.0"),
        "counts": {"online": len(body["entity_ids"]) * len(body["feature_names"])},
        "stale": 1,
        "degraded": False,
        "experiments": {},
        "metadata": {e: dict.fromkeys(body["feature_names"], origin) for e in body["entity_ids"]},
    }


@given(entity_ids=names, feature_names=names, width=st.integers(1, 4), height=st.integers(1, 4))
def test_parts_give_what_the_whole_would(
    entity_ids: list[str], feature_names: list[str], width: int, height: int
) -> None:
    """However the limits cut a batch, its values, origins and counts are the same."""
    small = ClientSettings(max_entities=height, max_features=width)
    parts = batch_calls(small, entity_ids, feature_names, metadata=True)
    [whole] = batch_calls(ClientSettings(), entity_ids, feature_names, metadata=True)
    assert all(call.body is not None for call in parts)
    joined = BatchAnswer.join([BatchAnswer.parse(_answered(dict(c.body or {}))) for c in parts])
    expected = BatchAnswer.parse(_answered(dict(whole.body or {})))
    assert joined.values == expected.values
    assert joined.origins == expected.origins
    assert joined.summary.versions == expected.summary.versions
    assert joined.summary.counts == expected.summary.counts
    assert joined.summary.stale == len(parts)


def test_instants_are_read() -> None:
    """An event timestamp is an aware instant."""
    body = _answered({"entity_ids": ["e"], "feature_names": ["f"]})
    origins = BatchAnswer.parse(body).origins
    assert origins is not None
    assert origins["e"]["f"].event_timestamp == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, UnknownName), (418, ClientError), (200, UnexpectedAnswer)]
)
def test_refusals_are_errors_of_their_kind(status: int, kind: type[ClientError]) -> None:
    """With the gateway's words and the request's id."""
    content = b"[]" if status == 200 else b'{"detail": "what", "hint": "Do so."}'
    response = httpx.Response(status, headers={"X-Request-ID": "r1"})
    with pytest.raises(kind) as caught:
        read_answer(response, content)
    assert caught.value.request_id == "r1"
    if status != 200:
        assert str(caught.value) == "what Do so. [request r1]"


@pytest.mark.parametrize(
    ("status", "headers", "kind", "wait"),
    [
        (503, {}, GatewayUnavailable, None),
        (500, {}, GatewayUnavailable, None),
        (429, {"Retry-After": "2"}, TooManyRequests, 2.0),
        (429, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, TooManyRequests, None),
    ],
)
def test_what_may_pass_is_sent_again(
    status: int, headers: dict[str, str], kind: type[ClientError], wait: float | None
) -> None:
    """When the gateway says so, if it does."""
    with pytest.raises(Retried) as caught:
        read_answer(httpx.Response(status, headers=headers), b"")
    assert type(caught.value.error) is kind
    assert caught.value.wait_seconds == wait


def test_nobody_waits_beyond_the_budget() -> None:
    """A wait that would outlast it is not begun; what will not pass is not sent again."""
    backoff = Backoff(time.monotonic() + 60.0)
    unavailable = GatewayUnavailable("no")
    assert backoff(Retried(unavailable, 7.0)) == 7.0
    assert backoff(Retried(unavailable, 61.0)) is False
    waits = [backoff(Retried(unavailable)) for _ in range(20)]
    assert all(wait is not False and wait <= 0.5 for wait in waits)
    assert backoff(UnexpectedAnswer("no")) is False
    assert Backoff(time.monotonic())(Retried(unavailable)) is False


def test_a_key_is_no_secret_of_the_repr() -> None:
    """It shows in no log and no traceback."""
    assert "secret" not in repr(ClientSettings(api_key="secret"))


def test_the_gateway_is_told_what_is_left() -> None:
    """In whole milliseconds, never none."""
    assert timeout_header(0.25) == {"X-Timeout-Ms": "250"}
    assert timeout_header(0.0001) == {"X-Timeout-Ms": "1"}
    assert timeout_header(1_000_000.0) == {"X-Timeout-Ms": "60000"}
