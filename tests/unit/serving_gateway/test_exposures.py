"""Exposures are counted, logged without users, and recorded where somebody wants to know whose."""

import asyncio
import json
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from feature_repo.registry.gather import gather_features
from feature_repo.registry.serving_rules import Assignment
from foundation import clock
from foundation.settings import Settings
from serving_gateway.exposures import ExposureInstruments, Exposures
from serving_gateway.journal import Journal
from serving_gateway.log_digest import LogDigest
from serving_gateway.metric_registry import MetricRegistry
from serving_gateway.selection import Exposure

FEATURES = [f for f in gather_features() if f.reference == "popularity_score==1.1.0"]


def _exposure(variant: str = "new", *, is_forced: bool = False) -> Exposure:
    return Exposure(Assignment("trending", "november", variant, {}, is_forced), FEATURES)


def _exposures(
    folder: Path | None, metrics: MetricRegistry | None = None, digest: LogDigest | None = None
) -> Exposures:
    instruments = ExposureInstruments(metrics or MetricRegistry())
    return Exposures(Settings(exposures_path=folder), instruments, digest or LogDigest())


async def _write(journal: Journal | None) -> None:
    assert journal is not None
    writing = asyncio.create_task(journal.run())
    await journal.finish()
    writing.cancel()


def _records(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for file in folder.glob("exposures-*.jsonl")
        for line in file.read_text().splitlines()
    ]


async def test_a_user_is_recorded_once_in_a_while(tmp_path: Path) -> None:
    """With all that it takes to join what they did next; in another variant, again."""
    exposures = _exposures(tmp_path)
    before = clock.now()
    for _ in range(3):
        exposures.note("user_456", [_exposure()])
    exposures.note("user_456", [_exposure("control", is_forced=True)])
    exposures.note("user_789", [_exposure()])
    await _write(exposures.journal)
    first, second, third = _records(tmp_path)
    assert before.isoformat() <= first.pop("exposed_at") <= clock.now().isoformat()
    assert first == {
        "experiment": "trending",
        "salt": "november",
        "variant": "new",
        "user_id": "user_456",
        "forced": False,
        "versions": {"popularity_score": "1.1.0"},
    }
    assert (second["variant"], second["forced"]) == ("control", True)
    assert third["user_id"] == "user_789"


def test_counts_and_logs_name_no_user() -> None:
    """Every request counts; the log has sums, and nothing is recorded unless asked for."""
    metrics, digest = MetricRegistry(), LogDigest()
    exposures = _exposures(None, metrics, digest)
    for _ in range(3):
        exposures.note("user_456", [_exposure()])
    assert exposures.journal is None
    labels = {"experiment": "trending", "variant": "new"}
    name = "feature_experiment_exposures_total"
    assert metrics.registry.get_sample_value(name, labels) == 3.0
    with capture_logs() as logged:
        digest.flush()
    assert [(each["event"], each["count"]) for each in logged] == [("experiment_exposure", 3)]
    assert "user_456" not in str(logged)
