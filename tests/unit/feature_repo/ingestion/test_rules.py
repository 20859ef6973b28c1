"""What is wrong with a single row."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from feature_repo.ingestion.rules import check_events, check_products

NOW = datetime(2024, 6, 1, tzinfo=UTC)
GOOD_EVENT = {
    "event_id": "e1",
    "user_id": "user_1",
    "product_id": "prod_1",
    "event_type": "view",
    "event_timestamp": NOW.isoformat(),
}
GOOD_PRODUCT = {
    "product_id": "prod_1",
    "title": "Tea",
    "description": None,
    "category": None,
    "price": None,
    "created_at": "2024-01-01",
    "updated_at": "2024-01-01",
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"event_id": None}, "missing event_id"),
        ({"event_id": " \t"}, "missing event_id"),
        ({"user_id": ""}, "missing user_id"),
        ({"product_id": "\u00a0"}, "missing product_id"),
        ({"user_id": "a\0b"}, "NUL character in user_id"),
        ({"event_type": None}, "unknown event_type"),
        ({"event_type": "Purchase"}, "unknown event_type"),
        ({"event_timestamp": None}, "missing event_timestamp"),
        ({"event_timestamp": "yesterday"}, "unparsable event_timestamp"),
        (
            {"event_timestamp": (NOW + timedelta(microseconds=1)).isoformat()},
            "future event_timestamp",
        ),
        ({"event_id": None, "event_type": "buy"}, "missing event_id"),
    ],
)
def test_event(change: dict[str, str | None], reason: str | None) -> None:
    """A bad event gets the first reason that applies, a good one none."""
    rows = pa.RecordBatch.from_pylist(
        [GOOD_EVENT | change], schema=pa.schema(dict.fromkeys(GOOD_EVENT, pa.string()))
    )
    assert check_events(rows, NOW).reasons.to_pylist() == [reason]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"price": "0"}, None),
        ({"product_id": None}, "missing product_id"),
        ({"title": " "}, "missing title"),
        ({"description": "a\0b"}, "NUL character in description"),
        ({"price": "-0.01"}, "negative price"),
        ({"price": "1,50"}, "unparsable price"),
        ({"price": "nan"}, "unparsable price"),
        ({"created_at": None}, "missing created_at"),
        ({"created_at": "2024-13-01"}, "unparsable created_at"),
        ({"updated_at": None}, "missing updated_at"),
        ({"updated_at": "later"}, "unparsable updated_at"),
        ({"updated_at": "2023-12-31T23:59:59Z"}, "updated_at before created_at"),
    ],
)
def test_product(change: dict[str, str | None], reason: str | None) -> None:
    """A bad product gets the first reason that applies, a good one none."""
    rows = pa.RecordBatch.from_pylist(
        [GOOD_PRODUCT | change], schema=pa.schema(dict.fromkeys(GOOD_PRODUCT, pa.string()))
    )
    assert check_products(rows, NOW).reasons.to_pylist() == [reason]
