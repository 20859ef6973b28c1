"""When a feature may take the next step towards the store."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner, Result

from foundation.errors import ConfigurationError, ContractViolation
from monitoring.cli import app
from monitoring.parity import judge
from monitoring.parity_counts import Counts, Tally, read_tallies
from monitoring.parity_counts import Mode as JudgedMode
from serving_gateway.client.parity import Mode, ParityLedger

GOOD = Counts(
    compared=5_000,
    matched=5_000,
    incomparable=0,
    absolute_difference=0.0,
    relative_difference=0.0,
    only_inline=0,
    only_store=0,
    store_reads=1_000,
    store_failures=0,
    store_values=5_000,
    store_missing=0,
    inline_computations=0,
    inline_failures=0,
    inline_values=0,
    dropped=0,
    store_p95_ms=4.0,
    inline_p95_ms=40.0,
)
START = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mode", "changes", "advice"),
    [
        ("inline", {}, "go on to store"),
        ("inline", {"compared": 999, "matched": 999}, "999 values compared"),
        ("inline", {"matched": 4_900}, "98.00% equal"),
        ("inline", {"store_missing": 500}, "10.00% missing"),
        ("inline", {"only_inline": 5_000}, "50.00% had inline only"),
        ("inline", {"only_store": 5_000}, "50.00% in the store only"),
        ("inline", {"store_failures": 2}, "0.20% of the reads failed"),
        ("inline", {"store_failures": 1}, "go on to store"),
        ("inline", {"dropped": 1_000}, "50.00% of the comparisons left out"),
        ("inline", {"dropped": 100}, "go on to store"),
        ("inline", {"store_p95_ms": 80.0}, "p95 80 ms"),
        ("store", {}, "go on to store_only"),
        ("store", {"store_values": 10}, "10 values read"),
        ("store", {"inline_values": 5_000}, "50.00% computed inline"),
        ("store", {"store_failures": 2}, "0.20% of the reads failed"),
        ("store_only", {}, "done"),
        ("store_only", {"store_missing": 500}, "10.00% missing"),
        ("store_only", {"store_values": 0, "store_failures": 1_000}, "100.00% of the reads failed"),
        ("store_only", {"store_values": 0}, "0 values read"),
    ],
)
def test_each_step_has_its_conditions(
    mode: JudgedMode, changes: dict[str, Any], advice: str
) -> None:
    """And says which one is not met."""
    assert advice in judge(Tally("f", mode, GOOD.model_copy(update=changes))).advice


def test_failed_and_dropped_reads_outweigh_good_ones() -> None:
    """However many good ones there are."""
    counts = {"store_reads": 905_000, "store_failures": 900_000, "dropped": 900_000}
    verdict = judge(Tally("f", "inline", GOOD.model_copy(update=counts)))
    assert verdict.reasons == [
        "49.86% of the comparisons left out, 10.00% allowed",
        "99.45% of the reads failed, 0.10% allowed",
    ]


def test_mean_differences_are_of_what_has_one() -> None:
    """Absolute ones in the feature's own unit."""
    counts = {"incomparable": 1_000, "absolute_difference": 4_000.0, "relative_difference": 40.0}
    verdict = judge(Tally("f", "inline", GOOD.model_copy(update=counts)))
    assert (verdict.mean_absolute_difference, verdict.mean_relative_difference) == (1.0, 0.01)


def test_modes_are_those_of_the_client() -> None:
    """Neither may import the other."""
    assert list(get_args(JudgedMode)) == list(Mode)


def test_processes_add_up_and_their_last_lines_count(tmp_path: Path) -> None:
    """Whatever the number of files, and the order of their lines."""
    file = tmp_path / "parity.jsonl"
    ledger = ParityLedger()
    for _ in range(2):
        ledger.compare("f", Mode.INLINE, {"a": 1.0}, {"a": 1.0})
        ledger.append_to(file)
    lines = file.read_text().splitlines()
    file.write_text("\n".join(reversed(lines)) + "\n")
    other = json.loads(lines[-1]) | {"process": "other", "store_p95_ms": 9}
    (tmp_path / "more.jsonl").write_text(json.dumps(other) + "\n")
    [tally] = read_tallies(tmp_path.iterdir())
    assert (tally.feature_name, tally.mode) == ("f", "inline")
    assert (tally.counts.compared, tally.counts.store_p95_ms) == (4, 9)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a line of so many minutes after the start."""
    file = tmp_path / "parity.jsonl"
    file.touch()

    def written(minutes: int, process: str = "p", mode: str = "inline", **counts: int) -> Path:
        at = (START + timedelta(minutes=minutes)).isoformat()
        line = {"process": process, "feature": "f", "mode": mode, "at": at, "counted_at": at}
        with file.open("a") as stream:
            stream.write(json.dumps(GOOD.model_dump() | line | counts) + "\n")
        return file

    return written


def test_a_window_starts_where_its_first_line_is(write: Callable[..., Path]) -> None:
    """What a process counted before a correction says nothing of the time after."""
    write(0, process="gone", matched=0)
    write(0, compared=1_000, matched=0)
    write(10, compared=2_000, matched=100)
    file = write(20, compared=3_000, matched=1_100)
    [tally] = read_tallies([file], since=START + timedelta(minutes=15))
    assert (tally.counts.compared, tally.counts.matched) == (1_000, 1_000)
    [whole] = read_tallies([file])
    assert (whole.counts.compared, whole.counts.matched) == (8_000, 1_100)
    assert read_tallies([file], since=START + timedelta(minutes=21)) == []


def test_a_mode_that_was_left_is_left_out(write: Callable[..., Path]) -> None:
    """Also if a feature went back."""
    write(0, mode="inline", matched=0)
    file = write(1, mode="store")
    assert [tally.mode for tally in read_tallies([file])] == ["store"]
    write(2, mode="inline", process="q")
    assert [tally.mode for tally in read_tallies([file])] == ["inline"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "backwards"}, "mode"),
        ({"compared": None}, "compared"),
        ({"compared": -1}, "compared"),
        ({"at": "yesterday"}, "at"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_lines_are_validated(
    write: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    """A wrong one is named, with its place and what is wrong."""
    write(0)
    file = write(1, **changes)
    with pytest.raises(ContractViolation, match=rf"line 2: .*{message}"):
        read_tallies([file])


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    """With the line."""
    file = tmp_path / "parity.jsonl"
    with pytest.raises(ConfigurationError, match=r"parity\.jsonl"):
        read_tallies([file])
    for text in ("{}\n", "no JSON\n", "\n"):
        file.write_text(text)
        with pytest.raises(ContractViolation, match="line 1"):
            read_tallies([file])
    file.write_bytes(b"\xff\n")
    with pytest.raises(ConfigurationError, match=r"parity\.jsonl"):
        read_tallies([file])


def _parity(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["parity", *map(str, arguments)])


def test_nothing_counted_is_no_success(write: Callable[..., Path], tmp_path: Path) -> None:
    """A script that waits for exit code 0 does not go on because a file is empty."""
    (tmp_path / "parity.jsonl").touch()
    empty = _parity(tmp_path / "parity.jsonl")
    assert (empty.exit_code, empty.stderr) == (2, "Nothing was counted.\n")
    file = write(0)
    late = _parity(file, "--since", "2026-06-02", "--json")
    assert (late.exit_code, json.loads(late.stdout)) == (2, [])
    assert "since 2026-06-02" in late.stderr


def test_the_command_tells_differences_by_name(write: Callable[..., Path]) -> None:
    """And exits with 0 if every feature may go on."""
    file = write(0, absolute_difference=5_000, relative_difference=50)
    told = _parity(file, "--json", "--since", "2026-06-01")
    [verdict] = json.loads(told.stdout)
    assert (told.exit_code, verdict["advice"]) == (0, "go on to store")
    assert verdict["mean_absolute_difference"] == 1.0
    assert verdict["mean_relative_difference"] == 0.01
    assert "1 (0.01)" in _parity(file).stdout
    write(1, store_failures=500)
    assert _parity(file).exit_code == 2
