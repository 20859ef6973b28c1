"""Runs tell OpenLineage what they read and wrote, if it is configured."""

import json
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
from transformations.cli import app
from transformations.generated_tables import load_tables
from transformations.generator import Shop

# What https://openlineage.io/spec demands of a run event, and of what is in it.
_NAMED = {"type": "object", "required": ["namespace", "name"]}
_FACETS = {
    "type": "object",
    "additionalProperties": {"type": "object", "required": ["_producer", "_schemaURL"]},
}
_DATASETS = {"type": "array", "items": {**_NAMED, "properties": {"facets": _FACETS}}}
_RUN_EVENT = {
    "type": "object",
    "required": ["run", "job", "eventTime", "producer", "schemaURL"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string", "format": "uri"},
        "schemaURL": {"type": "string", "format": "uri"},
        "run": {
            "type": "object",
            "required": ["runId"],
            "properties": {"runId": {"type": "string", "format": "uuid"}, "facets": _FACETS},
        },
        "job": _NAMED,
        "inputs": _DATASETS,
        "outputs": _DATASETS,
    },
}


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
    for event in collector:
        jsonschema_rs.validate(_RUN_EVENT, event, validate_formats=True)
        assert [each["name"] for each in event["inputs"]] == ["events", "products"]
        assert [each["name"] for each in event["outputs"]] == ["popularity_score_v1_0_0"]
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == complete["run"]["runId"]
    [output] = complete["outputs"]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 30
    with connect(shop) as connection:
        rows = connection.execute("SELECT run_id::text FROM computation_runs").fetchall()
    assert rows == [(start["run"]["runId"],)]


def test_a_failed_run_is_told(shop: Settings, collector: list[dict[str, Any]]) -> None:
    """With the error."""
    with connect(shop) as connection:
        connection.execute("TRUNCATE products")
    assert CliRunner().invoke(app, ["run", "product_freshness_score"]).exit_code != 0
    assert [event["eventType"] for event in collector][-1] == "FAIL"
    assert "message" in collector[-1]["run"]["facets"]["errorMessage"]


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
