"""How inline values and the store's compare."""

import math

import pytest

from serving_gateway.client.answers import Value
from serving_gateway.client.parity import Mode, ParityLedger, difference


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1.0, 1.0, 0.0),
        (0.0, 0.0, 0.0),
        (1.0, 0.5, 0.5),
        (-1.0, 1.0, 2.0),
        ("low", "low", 0.0),
        ("low", "high", math.inf),
        ([1.0, 2.0], [1.0, 1.0], 0.25),
        ([1.0], [1.0, 2.0], math.inf),
        ({"a": 1.0}, {"a": 1.0, "b": 1.0}, 0.5),
        ({}, {}, 0.0),
        (None, None, 0.0),
        (None, 1.0, math.inf),
        ("1", [1.0], math.inf),
    ],
)
def test_values_of_every_type_differ_by_a_number(a: Value, b: Value, expected: float) -> None:
    """Relative to the greater one; of other kinds, by infinity."""
    assert difference(a, b) == difference(b, a) == expected


def test_counts_are_kept_by_mode() -> None:
    """What was seen in the shadow says nothing of what came after."""
    ledger = ParityLedger(tolerance=0.1)
    ledger.compare("f", Mode.INLINE, {"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 1.05, "b": 2.0})
    ledger.store_read("f", Mode.STORE, asked=4, missing=1, seconds=0.002)
    ledger.computed("f", Mode.STORE, count=1, seconds=0.004)
    by_mode = {record["mode"]: record for record in ledger.snapshot()}
    assert (by_mode["inline"]["compared"], by_mode["inline"]["matched"]) == (2, 1)
    assert by_mode["inline"]["store_p95_ms"] is None
    assert (by_mode["store"]["store_values"], by_mode["store"]["store_p95_ms"]) == (4, 2.0)
