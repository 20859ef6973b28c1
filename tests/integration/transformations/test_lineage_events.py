"""Runs tell OpenLineage what they read and wrote, if it is configured."""

import json
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jsonschema_rs
import pytest
from typer.testing import CliRunner

from foundation import clock
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.transformations.openlineage_schema import RUN_EVENT
from transformations.cli import app
from transformations.generated_tables import load_tables
from transformations.generator import Shop


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Yield the events that a collector of OpenLineage receives."""
    received: list[dict[str, Any]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            received.append(json.loads(self.rfile.read(length)))
            self.send_response(201)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}")
    yield received
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def shop(settings: Settings, applied: Settings) -> Settings:
    """Settings of a small shop."""
    assert applied
    load_tables(
        settings, Shop(users=20, products=30, events=900, days=60, seed=3, until=clock.now())
    )
    return settings


def test_a_run_is_told(shop: Settings, collector: list[dict[str, Any]]) -> None:
    """When it starts and when it is complete, with what it reads and writes."""
    assert CliRunner().invoke(app, ["run", "popularity_score==1.0.0"]).exit_code == 0
    start, complete = collector
    server = f"postgres://{platform.node()}:5432"
    for event in collector:
        jsonschema_rs.validate(RUN_EVENT, event, validate_formats=True)
        assert (event["job"]["namespace"], event["job"]["name"]) == (
            "feature_store",
            "popularity_score==1.0.0",
        )
        assert [(each["namespace"], each["name"]) for each in event["inputs"]] == [
            (server, "postgres.public.events"),
            (server, "postgres.public.products"),
        ]
        assert [(each["namespace"], each["name"]) for each in event["outputs"]] == [
            ("feature_store", "popularity_score_v1_0_0")
        ]
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == complete["run"]["runId"]
    [output] = complete["outputs"]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 30
    with connect(shop) as connection:
        rows = connection.execute("SELECT run_id::text FROM computation_runs").fetchall()
    assert rows == [(start["run"]["runId"],)]


def test_columns_are_told(
    shop: Settings, collector: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that values come from, of tables and of other features; the namespace can be set."""
    assert shop
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "shop")
    for name in ("category_popularity", "user_category_affinity"):
        assert CliRunner().invoke(app, ["run", name]).exit_code == 0
    for event in collector:
        jsonschema_rs.validate(RUN_EVENT, event, validate_formats=True)
    event = collector[-1]
    assert (event["eventType"], event["job"]["namespace"]) == ("COMPLETE", "shop")
    [output] = event["outputs"]
    [(column, read)] = output["facets"]["columnLineage"]["fields"].items()
    assert column == "feature_value"
    fields = {(each["name"], each["field"]) for each in read["inputFields"]}
    assert ("postgres.public.events", "user_id") in fields
    assert ("postgres.public.products", "category") in fields
    assert ("postgres.public.events", "event_id") not in fields
    inputs = {(each["namespace"], each["name"]) for each in event["inputs"]}
    assert {(each["namespace"], each["name"]) for each in read["inputFields"]} == inputs


def test_a_namespace_alone_is_no_configuration(
    shop: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The client would print events, for want of anywhere to send them."""
    assert shop
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "shop")
    assert CliRunner().invoke(app, ["run", "product_freshness_score"]).exit_code == 0
    assert "eventType" not in "".join(capfd.readouterr())


def test_a_failed_run_is_told(shop: Settings, collector: list[dict[str, Any]]) -> None:
    """With the error."""
    with connect(shop) as connection:
        connection.execute("TRUNCATE products")
    assert CliRunner().invoke(app, ["run", "product_freshness_score"]).exit_code != 0
    assert [event["eventType"] for event in collector][-1] == "FAIL"
    assert "message" in collector[-1]["run"]["facets"]["errorMessage"]
    for event in collector:
        jsonschema_rs.validate(RUN_EVENT, event, validate_formats=True)


def test_a_collector_that_is_gone_costs_no_run(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and that is all."""
    assert shop
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    assert CliRunner().invoke(app, ["run", "product_freshness_score"]).exit_code == 0


def test_nothing_is_imported_unless_it_is_configured() -> None:
    """Its client takes a while."""
    code = "import sys, transformations.pipeline; sys.exit('openlineage.client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own
