"""A share of the answers is kept on disk."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import redis

from feature_repo.stores.keys import redis_keys
from foundation import clock
from foundation.settings import Settings
from tests.integration.serving_gateway.conftest import (
    SERVED,
    gateway_on,
    read_batch,
    read_metrics,
)

WRITTEN = 'feature_served_sample_values_total{outcome="written"}'


def _settings(applied: Settings, folder: Path, share: float) -> Settings:
    return applied.model_copy(update={"served_sample_share": share, "served_sample_path": folder})


def test_answers_are_kept_with_where_they_came_from(
    applied: Settings, valkey: redis.Redis, tmp_path: Path
) -> None:
    """Version, join keys unescaped, value, tier, instants; of defaults, too."""
    folder = tmp_path / "served"
    [key] = redis_keys("popularity_score", SERVED["popularity_score"], ["a%3Ab"])
    valkey.set(key, "0.75", ex=120)
    before = clock.now()
    with gateway_on(_settings(applied, folder, 1.0)) as client:
        names = ["popularity_score", "user_category_affinity"]
        answer = read_batch(client, entity_ids=["a:b"], feature_names=names)
    [file] = folder.iterdir()
    popularity, affinity = map(json.loads, file.read_text().splitlines())
    assert popularity["feature"] == f"popularity_score=={SERVED['popularity_score']}"
    assert popularity["keys"] == {"product_id": "a:b"}
    assert popularity["value"] == 0.75 == answer["values"]["a:b"]["popularity_score"]
    assert popularity["served_from"] == "online"
    told = datetime.fromisoformat(popularity["event_timestamp"])
    assert told.tzinfo is not None
    assert told < before <= datetime.fromisoformat(popularity["answered_at"]) <= clock.now()
    assert affinity["keys"] == {"user_id": "a:b"}
    assert affinity["served_from"] == "default"
    assert affinity["event_timestamp"] is None


@pytest.mark.usefixtures("valkey")
def test_a_share_is_a_share(applied: Settings, tmp_path: Path) -> None:
    """And none is none: no file, no folder."""
    for share, fewest, most in ((0.0, 0, 0), (0.5, 60, 140)):
        folder = tmp_path / str(share)
        with gateway_on(_settings(applied, folder, share)) as client:
            for _ in range(200):
                read_batch(client, entity_ids=["p1"], feature_names=["popularity_score"])
        lines = [line for f in folder.glob("*") for line in f.read_text().splitlines()]
        assert fewest <= len(lines) <= most


@pytest.mark.usefixtures("valkey")
def test_old_files_go_and_a_full_disk_is_told(applied: Settings, tmp_path: Path) -> None:
    """Requests are answered all the same."""
    folder = tmp_path / "served"
    folder.mkdir()
    old, other = folder / "served-20250101T00-1.jsonl", folder / "notes.txt"
    for file in (old, other):
        file.touch()
        os.utime(file, (0, datetime(2025, 1, 1, tzinfo=UTC).timestamp()))
    with gateway_on(_settings(applied, folder, 1.0)) as client:
        read_batch(client, entity_ids=["p1"], feature_names=["popularity_score"])
        _wait_for(client, WRITTEN)
    assert not old.exists()
    assert other.exists()
    blocked = tmp_path / "file"
    blocked.touch()
    with gateway_on(_settings(applied, blocked, 1.0)) as client:
        read_batch(client, entity_ids=["p1"], feature_names=["popularity_score"])
        _wait_for(client, 'feature_served_sample_values_total{outcome="failed"}')


def _wait_for(client: httpx.Client, name: str) -> None:
    for _ in range(500):
        if read_metrics(client).get(name):
            return
        time.sleep(0.01)
    pytest.fail(f"{name} stayed 0")
