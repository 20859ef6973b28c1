"""What several places say of the same values is told as one story."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from feature_repo.history.terms import Terms
from feature_repo.history.versions import counting, merged

INSTANT = pa.timestamp("us", "UTC")
AT = datetime(2026, 5, 1, tzinfo=UTC)
# entity, value, hours after which it was created, and replaced.
Said = tuple[str, float | None, int, int | None]


def _hour(number: int | None) -> datetime | None:
    return None if number is None else AT + timedelta(hours=number)


def _place(*said: Said) -> pa.Table:
    entities, values, created, replaced = zip(*said, strict=True) if said else ((), (), (), ())
    return pa.table(
        {
            "entity_id": pa.array(entities, pa.string()),
            "value": pa.array(values, pa.float64()),
            "timestamp": pa.array([AT] * len(said), INSTANT),
            "created": pa.array([_hour(number) for number in created], INSTANT),
            "replaced": pa.array([_hour(number) for number in replaced], INSTANT),
        }
    )


def _said(table: pa.Table) -> list[Said]:
    hour = timedelta(hours=1)
    return sorted(
        (
            row["entity_id"],
            row["value"],
            (row["created"] - AT) // hour,
            None if row["replaced"] is None else (row["replaced"] - AT) // hour,
        )
        for row in table.to_pylist()
    )


@pytest.mark.parametrize(
    ("places", "story"),
    [
        # A correction after the month was dropped.
        ([[("a", 0.1, 1, None)], [("a", 0.2, 3, None)]], [("a", 0.1, 1, 3), ("a", 0.2, 3, None)]),
        # The same again is nothing new, however often.
        (
            [[("a", 0.1, 1, None)], [("a", 0.1, 3, None)], [("a", 0.1, 4, None)]],
            [("a", 0.1, 1, None)],
        ),
        # But it may be corrected afterwards, and be right in the end.
        (
            [[("a", 0.1, 1, None)], [("a", 0.1, 3, 4), ("a", 0.2, 4, 5), ("a", 0.1, 5, None)]],
            [("a", 0.1, 1, 4), ("a", 0.1, 5, None), ("a", 0.2, 4, 5)],
        ),
        # Corrections of before stay what they are, and so do others.
        (
            [[("a", 0.1, 1, 2), ("a", 0.2, 2, None), ("b", 0.3, 1, None)], [("a", 0.4, 6, None)]],
            [("a", 0.1, 1, 2), ("a", 0.2, 2, 6), ("a", 0.4, 6, None), ("b", 0.3, 1, None)],
        ),
        # What a transaction wrote that had begun long before counts all the same.
        ([[("a", 0.1, 5, None)], [("a", 0.2, 3, None)]], [("a", 0.2, 3, None)]),
        # No value is one, too.
        ([[("a", None, 1, None)], [("a", None, 2, None)]], [("a", None, 1, None)]),
        ([[("a", 0.1, 1, None)], []], [("a", 0.1, 1, None)]),
    ],
)
def test_one_story(places: Sequence[Sequence[Said]], story: Sequence[Said]) -> None:
    """As if all had been written to one place."""
    told = merged([_place(*said) for said in places], memory_megabytes=64)
    assert _said(told) == story


@pytest.mark.parametrize(
    ("terms", "values"),
    [
        (Terms(), [0.3]),
        (Terms(known_at=AT), []),
        (Terms(known_at=_hour(1)), [0.1]),
        (Terms(known_at=_hour(2)), [0.2]),
        (Terms(known_at=_hour(9)), [0.3]),
        (Terms(known_then=True), [0.1, 0.2, 0.3]),
        (Terms(known_at=_hour(2), known_then=True), [0.1, 0.2]),
    ],
)
def test_what_counts(terms: Terms, values: list[float]) -> None:
    """A value counts from when it was created until it was replaced."""
    said = _place(("a", 0.1, 1, 2), ("a", 0.2, 2, 3), ("a", 0.3, 3, None))
    assert counting(said, terms)["value"].to_pylist() == values
