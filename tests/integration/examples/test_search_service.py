"""The example's search service moves from inline popularity to the store, step by step."""

import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from examples.search_service.app import POPULARITY
from feature_repo.stores.keys import redis_keys
from foundation import clock
from foundation.postgres import connect
from foundation.redis import connect as connect_redis
from foundation.settings import PROJECT_ROOT, Settings
from monitoring.cli import app as monitoring
from tests.integration.serving_gateway.conftest import gateway_on
from transformations.cli import app as transformations
from transformations.generated_tables import load_tables
from transformations.generator import Shop

Search = Callable[[], list[dict[str, Any]]]
Serve = Callable[..., AbstractContextManager[Search]]


@pytest.fixture
def shop(settings: Settings, applied: Settings) -> Settings:
    """Settings of a shop whose popularity has been computed."""
    assert applied
    load_tables(
        settings, Shop(users=50, products=120, events=6_000, days=60, seed=3, until=clock.now())
    )
    _compute()
    return settings


@pytest.fixture
def gateway_url(shop: Settings) -> Iterator[str]:
    """Yield the address of a gateway over that shop."""
    with gateway_on(shop) as http:
        yield str(http.base_url)


@pytest.fixture
def serve(shop: Settings, tmp_path: Path) -> Serve:
    """Return what runs the service as a process, in a mode; the block's end is its end."""
    assert shop

    @contextlib.contextmanager
    def served(mode: str, gateway_url: str, *, budget_seconds: float = 20.0) -> Iterator[Search]:
        with _process(mode, gateway_url, budget_seconds, tmp_path / "parity.jsonl") as url:
            client = httpx.Client(base_url=url, timeout=30)

            def search() -> list[dict[str, Any]]:
                response = client.get("/search", params={"q": "a"})
                assert response.status_code == 200, response.text
                found: list[dict[str, Any]] = response.json()
                return found

            with client:
                yield search

    return served


@contextlib.contextmanager
def _process(mode: str, gateway_url: str, budget_seconds: float, report: Path) -> Iterator[str]:
    command = [
        *(sys.executable, "-m", "examples.search_service", "--mode", mode, "--port", "0"),
        *("--gateway", gateway_url, "--budget-seconds", str(budget_seconds)),
        *("--report", str(report)),
    ]
    with subprocess.Popen(  # noqa: S603 - our own
        command, cwd=PROJECT_ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _address(process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    log: list[str] = []
    for line in process.stderr:
        log.append(line)
        if address := re.search(r"running on (http://\S+)", line):
            return address[1]
    pytest.fail("".join(log))


def _compute() -> None:
    done = CliRunner().invoke(transformations, ["run", POPULARITY])
    assert done.exit_code == 0, done.output


def _report(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    file = str(folder / "parity.jsonl")
    # How quick reads are is for a machine that has nothing else to do.
    limits = ("--values", "20", "--p95-milliseconds", "20000")
    result = CliRunner().invoke(monitoring, ["parity", file, "--json", *limits, *options])
    [verdict] = json.loads(result.stdout)
    return result.exit_code, verdict


def test_phase_by_phase(shop: Settings, gateway_url: str, serve: Serve, tmp_path: Path) -> None:
    """The answers stay what they were, and a report says when to go on."""
    with serve("inline", gateway_url) as search:
        inline = search()
        assert len(inline) > 20
    code, verdict = _report(tmp_path, "--values", "1000")
    assert (code, verdict["match_rate"], verdict["compared"]) == (2, 1.0, len(inline))
    assert "1,000 needed" in verdict["advice"]
    assert _report(tmp_path)[1]["advice"] == "go on to store"

    ids = [row["product_id"] for row in inline]
    _forget(shop, ids[:3])
    with serve("store", gateway_url) as search:
        assert [row["product_id"] for row in search()] == ids
    code, verdict = _report(tmp_path)
    assert (code, verdict["mode"]) == (2, "store")
    assert (verdict["store_missing"], verdict["inline_values"]) == (3, 3)
    assert "computed inline" in verdict["advice"]

    _compute()
    mended_at = clock.now().isoformat()
    with serve("store", gateway_url) as search:
        search()
    assert _report(tmp_path, "--since", mended_at)[1]["advice"] == "go on to store_only"

    _forget(shop, ids[:2])
    with serve("store_only", gateway_url) as search:
        alone = {row["product_id"]: row[POPULARITY] for row in search()}
    assert {alone[product_id] for product_id in ids[:2]} == {0.1}  # the feature's default
    assert alone[ids[5]] == pytest.approx(inline[5][POPULARITY], rel=1e-6)
    code, verdict = _report(tmp_path)
    assert (code, verdict["advice"], verdict["store_missing"]) == (0, "done", 2)


def test_a_store_that_is_gone(serve: Serve, tmp_path: Path) -> None:
    """Costs nothing while there is inline computation, and then the order of what is found."""
    failures = {}
    for mode in ("inline", "store", "store_only"):
        with serve(mode, "http://127.0.0.1:9", budget_seconds=0.5) as search:
            found = search()
        assert len(found) > 20
        assert {row[POPULARITY] is None for row in found} == {mode == "store_only"}
        failures[mode] = _report(tmp_path)[1]["store_failures"]
    assert failures == dict.fromkeys(failures, 1)


def _forget(settings: Settings, product_ids: list[str]) -> None:
    client = connect_redis(settings)
    client.delete(*redis_keys(POPULARITY, "1.1.0", product_ids))
    client.close()
    with connect(settings) as connection:
        connection.execute("DELETE FROM feature_latest WHERE entity_id = ANY(%s)", (product_ids,))
