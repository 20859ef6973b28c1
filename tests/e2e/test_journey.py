"""One journey: from files to a served value and a training row, by the commands users type."""

import csv
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from feast import FeatureStore

from feature_repo.registry.catalog import REPO_PATH
from foundation import clock
from foundation.settings import Settings
from tests.integration.serving_gateway.conftest import gateway_on

PRODUCTS = ["p1", "p2", "p3"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Return files of events and products of a small shop; one event is bad."""
    now = clock.now()
    events, products = tmp_path / "events.csv", tmp_path / "products.csv"
    with products.open("w", newline="") as output:
        writer = csv.writer(output)
        writer.writerow(
            ["product_id", "title", "description", "category", "price", "created_at", "updated_at"]
        )
        created = (now - timedelta(days=30)).isoformat()
        for number, product in enumerate(PRODUCTS):
            category = "books" if number == 0 else "toys"
            writer.writerow([product, f"Title {number}", "", category, "9.5", created, created])
    with events.open("w", newline="") as output:
        writer = csv.writer(output)
        writer.writerow(["event_id", "user_id", "product_id", "event_type", "event_timestamp"])
        for number in range(60):
            product = "p1" if number % 3 else "p2"
            kind = ("view", "add_to_cart", "purchase")[number % 3]
            at = now - timedelta(seconds=10, hours=number)
            writer.writerow([f"e{number}", f"u{number % 2}", product, kind, at.isoformat()])
        writer.writerow(["bad", "u1", "p9", "view", now.isoformat()])
    return events, products


def _run(*command: str | Path, folder: Path) -> str:
    finished = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_from_files_to_answers(
    settings: Settings, files: tuple[Path, Path], tmp_path: Path
) -> None:
    """Load, apply, compute, materialize, serve, train: what comes out is what pandas computes."""
    events, products = files
    python, feast = sys.executable, Path(sys.executable).with_name("feast")

    load = ["-m", "feature_repo", "load", "--events", str(events), "--products", str(products)]
    _run(python, *load, folder=tmp_path)
    rejected = csv.DictReader((tmp_path / "events.rejects.csv").read_text().splitlines())
    assert [(row["line"], row["reason"]) for row in rejected] == [("62", "unknown product")]
    _run(feast, "apply", folder=REPO_PATH)
    _run(python, "-m", "transformations", "run", "popularity_score", folder=tmp_path)
    past = (clock.now() - timedelta(days=1)).isoformat()
    _run(
        *(python, "-m", "transformations", "run", "--all", "--as-of", past),
        folder=tmp_path,
    )
    until = f"{clock.now() + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"
    _run(feast, "materialize-incremental", until, folder=REPO_PATH)

    frame = pd.read_csv(events, parse_dates=["event_timestamp"])
    good = frame[frame.event_id != "bad"]
    expected = _popularity(good, as_of=clock.now(), half_life_days=7)
    sampled = {"served_sample_share": 1.0, "served_sample_path": tmp_path / "served"}
    with gateway_on(settings.model_copy(update=sampled)) as client:
        answer = client.post(
            "/v1/features/batch",
            json={"entity_ids": PRODUCTS, "feature_names": ["popularity_score"]},
        ).json()
    served = {product: row["popularity_score"] for product, row in answer["values"].items()}
    assert answer["counts"] == {"online": 3}
    assert served == pytest.approx(expected, abs=1e-6)

    parity = _run(
        *(python, "-m", "feature_repo", "parity", tmp_path / "served", "--json"), folder=tmp_path
    )
    [compared] = json.loads(parity)["features"]
    assert (compared["same"], compared["different"], compared["lost"]) == (3, 0, 0)

    at = datetime.fromisoformat(past) + timedelta(minutes=1)
    store = FeatureStore(repo_path=str(REPO_PATH))
    rows = store.get_historical_features(
        entity_df=pd.DataFrame({"product_id": PRODUCTS, "event_timestamp": [at] * 3}),
        features=["popularity_score_v1_0_0:popularity_score"],
    ).to_df()
    known_then = _popularity(good, as_of=datetime.fromisoformat(past), half_life_days=14)
    trained = dict(zip(rows["product_id"], rows["popularity_score"], strict=True))
    assert trained == pytest.approx(known_then, abs=1e-9)


def _popularity(
    events: pd.DataFrame, *, as_of: datetime, half_life_days: float
) -> dict[str, float]:
    past = events[events.event_timestamp <= as_of.astimezone(UTC)]
    age_days = (as_of - past.event_timestamp).dt.total_seconds() / 86_400
    weights = past.event_type.map({"view": 1, "add_to_cart": 2, "purchase": 3})
    totals = (weights * 0.5 ** (age_days / half_life_days)).groupby(past.product_id).sum()
    counts = past.groupby("product_id").size()
    scores = (totals / totals.max()).where(counts >= 10, 0.1)
    return {product: float(scores.get(product, 0.1)) for product in PRODUCTS}
