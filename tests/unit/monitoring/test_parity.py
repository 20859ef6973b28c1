"""When a feature may take the next step towards the store."""

import json
from pathlib import Path
from typing import Any

import pytest

from foundation.errors import ConfigurationError, ContractViolation
from monitoring.parity import judge, read_counts
from serving_gateway.client.parity import Mode, ParityLedger

GOOD = {
    "compared": 5_000,
    "matched": 5_000,
    "absolute_difference": 0.0,
    "store_values": 5_000,
    "store_missing": 0,
    "store_failures": 0,
    "inline_values": 0,
    "inline_failures": 0,
    "dropped": 0,
    "store_p95_ms": 4.0,
    "inline_p95_ms": 40.0,
}


@pytest.mark.parametrize(
    ("mode", "changes", "advice"),
    [
        ("inline", {}, "go on to store"),
        ("inline", {"compared": 999, "matched": 999}, "999 values compared"),
        ("inline", {"matched": 4_900}, "98.00% equal"),
        ("inline", {"store_missing": 500}, "10.00% missing"),
        ("inline", {"store_p95_ms": 80.0}, "p95 80 ms"),
        ("store", {}, "go on to store_only"),
        ("store", {"inline_values": 50}, "1.00% computed inline"),
        ("store", {"store_failures": 2}, "2 reads failed"),
        ("store_only", {}, "done"),
        ("store_only", {"store_missing": 500}, "10.00% missing"),
    ],
)
def test_each_step_has_its_conditions(mode: str, changes: dict[str, Any], advice: str) -> None:
    """And says which one is not met."""
    assert advice in judge("f", mode, {**GOOD, **changes}).advice


def test_processes_add_up_and_their_last_lines_count(tmp_path: Path) -> None:
    """Whatever the number of files."""
    file = tmp_path / "parity.jsonl"
    ledger = ParityLedger()
    for _ in range(2):
        ledger.compare("f", Mode.INLINE, {"a": 1.0}, {"a": 1.0})
        ledger.append_to(file)
    other = json.loads(file.read_text().splitlines()[-1]) | {"process": "other", "store_p95_ms": 9}
    (tmp_path / "more.jsonl").write_text(json.dumps(other) + "\n")
    [(subject, counts)] = read_counts(tmp_path.iterdir()).items()
    assert subject == ("f", "inline")
    assert (counts["compared"], counts["store_p95_ms"]) == (4, 9)


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    """With the line."""
    file = tmp_path / "parity.jsonl"
    with pytest.raises(ConfigurationError, match=r"parity\.jsonl"):
        read_counts([file])
    file.write_text("{}\n")
    with pytest.raises(ContractViolation, match="line 1"):
        read_counts([file])
