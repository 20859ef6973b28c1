"""How inline values and the store's compare."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from serving_gateway.client.answers import Value
from serving_gateway.client.parity import Mode, ParityLedger, difference


@pytest.mark.parametrize(
    ("a", "b", "absolute", "relative"),
    [
        (1.0, 1.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 0.0),
        (4.0, 2.0, 2.0, 0.5),
        (100, 101.0, 1.0, 1 / 101),
        (-1.0, 1.0, 2.0, 2.0),
        (np.float32(4.0), 2.0, 2.0, 0.5),
        ("low", "low", 0.0, 0.0),
        ("low", "high", math.inf, math.inf),
        ([4.0, 2.0], [2.0, 2.0], 1.0, 0.25),
        ([1.0], [1.0, 2.0], math.inf, math.inf),
        ({"a": 4.0}, {"a": 4.0, "b": 4.0}, 2.0, 0.5),
        ({}, {}, 0.0, 0.0),
        (None, None, 0.0, 0.0),
        (None, 1.0, math.inf, math.inf),
        ("1", [1.0], math.inf, math.inf),
    ],
)
def test_values_of_every_type_differ_by_numbers(
    a: Value, b: Value, absolute: float, relative: float
) -> None:
    """As they are, and relative to the greater one; of other kinds, by infinity."""
    assert difference(a, b) == difference(b, a) == (absolute, relative)


def test_counts_are_kept_by_mode() -> None:
    """What was seen in the shadow says nothing of what came after."""
    ledger = ParityLedger(tolerance=0.1)
    ledger.compare(
        "f", Mode.INLINE, {"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 1.05, "b": 2.0, "d": 1.0, "e": None}
    )
    ledger.store_read("f", Mode.STORE, asked=4, missing=1, seconds=0.002)
    ledger.computed("f", Mode.STORE, count=1, seconds=0.004)
    by_mode = {record["mode"]: record for record in ledger.snapshot()}
    inline = by_mode["inline"]
    assert (inline["compared"], inline["matched"]) == (2, 1)
    assert (inline["only_inline"], inline["only_store"]) == (1, 1)
    assert inline["store_p95_ms"] is None
    assert (by_mode["store"]["store_values"], by_mode["store"]["store_p95_ms"]) == (4, 2.0)


def test_what_has_no_difference_spoils_no_mean() -> None:
    """Sums are of numbers only."""
    ledger = ParityLedger()
    ledger.compare("f", Mode.INLINE, {"a": "low", "b": 1.0}, {"a": "high", "b": 3.0})
    [counts] = ledger.snapshot()
    assert (counts["compared"], counts["incomparable"], counts["matched"]) == (2, 1, 0)
    assert counts["absolute_difference"] == 2.0


def test_two_ledgers_of_a_process_are_told_apart(tmp_path: Path) -> None:
    """A service may have two readers, and a container's process id is always 1."""
    file = tmp_path / "parity.jsonl"
    for _ in range(2):
        ledger = ParityLedger()
        ledger.dropped("f", Mode.INLINE)
        ledger.append_to(file)
    processes = [json.loads(line)["process"] for line in file.read_text().splitlines()]
    assert len(set(processes)) == 2
