"""The example's search service moves from inline popularity to the store, step by step."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from typer.testing import CliRunner

from examples.search_service.app import POPULARITY, create_app
from feature_repo.stores.keys import redis_keys
from foundation import clock
from foundation.postgres import connect
from foundation.redis import connect as connect_redis
from foundation.settings import Settings
from monitoring.cli import app as monitoring
from serving_gateway.client import ClientSettings, FeatureStoreClient, ParityLedger
from tests.integration.serving_gateway.conftest import gateway_on, serving
from transformations.cli import app as transformations
from transformations.generated_tables import load_tables
from transformations.generator import Shop

HURRIED = ClientSettings(budget_seconds=0.5, attempts=1)


@pytest.fixture
def shop(settings: Settings, applied: Settings) -> Settings:
    """Settings of a shop whose popularity has been computed."""
    assert applied
    load_tables(
        settings, Shop(users=50, products=120, events=6_000, days=60, seed=3, until=clock.now())
    )
    done = CliRunner().invoke(transformations, ["run", POPULARITY])
    assert done.exit_code == 0, done.output
    return settings


@pytest.fixture
def store(shop: Settings) -> Iterator[FeatureStoreClient]:
    """Yield a client of a gateway over that shop."""
    with (
        gateway_on(shop) as http,
        FeatureStoreClient(str(http.base_url), settings=ClientSettings(budget_seconds=5)) as client,
    ):
        yield client


def _report(file: Path, *options: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(monitoring, ["parity", str(file), "--json", *options])
    [verdict] = json.loads(result.output)
    return result.exit_code, verdict


def _compared(ledger: ParityLedger, count: int) -> None:
    for _ in range(500):
        if sum(int(str(record["compared"])) for record in ledger.snapshot()) >= count:
            return
        time.sleep(0.01)
    pytest.fail(f"not compared: {ledger.snapshot()}")


def test_phase_by_phase(shop: Settings, store: FeatureStoreClient, tmp_path: Path) -> None:
    """The answers stay what they were, and a report says when to go on."""
    modes, file = tmp_path / "modes.yaml", tmp_path / "parity.jsonl"
    modes.write_text("")
    ledger = ParityLedger()
    with _running(shop, store, modes, ledger) as service:
        inline = service.get("/search", params={"q": "a"}).json()
        assert len(inline) > 20
        _compared(ledger, len(inline))
        ledger.append_to(file)
        code, verdict = _report(file)
        assert (code, verdict["match_rate"]) == (2, 1.0)
        assert "1,000 needed" in verdict["advice"]
        assert _report(file, "--values", "20")[1]["advice"] == "go on to store"

        modes.write_text(f"{POPULARITY}: store")
        ids = [row["product_id"] for row in inline]
        _forget(shop, ids[:3])
        from_store = service.get("/search", params={"q": "a"}).json()
        assert [row["product_id"] for row in from_store] == ids
        counts = {record["mode"]: record for record in ledger.snapshot()}["store"]
        assert (counts["store_missing"], counts["inline_values"]) == (3, 3)

        modes.write_text(f"{POPULARITY}: store_only")
        alone = {row["product_id"]: row[POPULARITY] for row in _search(service)}
        assert {alone[product_id] for product_id in ids[:3]} == {0.1}  # the feature's default
        assert alone[ids[5]] == pytest.approx(inline[5][POPULARITY], rel=1e-6)


def test_a_store_that_is_gone(shop: Settings, tmp_path: Path) -> None:
    """Costs nothing while there is inline computation, and is an error once there is none."""
    modes = tmp_path / "modes.yaml"
    ledger = ParityLedger()
    with (
        FeatureStoreClient("http://127.0.0.1:9", settings=HURRIED) as nobody,
        _running(shop, nobody, modes, ledger) as service,
    ):
        for mode in ("inline", "store"):
            modes.write_text(f"{POPULARITY}: {mode}")
            assert len(_search(service)) > 20
        modes.write_text(f"{POPULARITY}: store_only")
        assert service.get("/search", params={"q": "a"}).status_code == 500
    failures = {record["mode"]: record["store_failures"] for record in ledger.snapshot()}
    assert failures["store"] == 1


@contextlib.contextmanager
def _running(
    settings: Settings, store: FeatureStoreClient, modes: Path, ledger: ParityLedger
) -> Iterator[httpx.Client]:
    app = create_app(settings, store, modes=modes, ledger=ledger)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical")
    with serving(config) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def _search(service: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.get("/search", params={"q": "a"}).json()
    return found


def _forget(settings: Settings, product_ids: list[str]) -> None:
    client = connect_redis(settings)
    client.delete(*redis_keys(POPULARITY, "1.1.0", product_ids))
    client.close()
    with connect(settings) as connection:
        connection.execute("DELETE FROM feature_latest WHERE entity_id = ANY(%s)", (product_ids,))
