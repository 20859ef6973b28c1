"""Lineage and search, by the commands and over HTTP, from a real registry."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from feature_repo.cli import app
from foundation import clock
from foundation.errors import ConfigurationError, UnknownNode
from foundation.postgres import Connection
from foundation.settings import Settings
from tests.integration.monitoring.runs_on_record import insert_run
from tests.integration.serving_gateway.conftest import gateway_on

FAILED_CHECKS = (
    {"check_type": "range", "subject": "popularity_score==1.0.0", "success": False},
    {"check_type": "null", "subject": "popularity_score==1.0.0", "success": True},
    {"check_type": "freshness", "subject": "events", "success": False},
    {"check_type": "freshness", "subject": "events", "success": False},
)
TOLD = ["freshness of events", "range of popularity_score==1.0.0"]


@pytest.fixture
def run(settings: Settings, applied: Settings, postgres: Connection) -> Callable[..., Result]:
    """Return a function that runs `python -m feature_repo`; one job has run twice."""
    assert settings
    assert applied
    now = clock.now()
    insert_run(postgres, "popularity_score", started_at=now - timedelta(hours=1), status="failed")
    insert_run(postgres, "popularity_score", started_at=now, rows=7, checks=FAILED_CHECKS)
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


def test_lineage_in_every_format(run: Callable[..., Result], tmp_path: Path) -> None:
    """Columns come from the computations, runs from PostgreSQL."""
    told = run("lineage", "popularity_score==1.0.0")
    assert told.exit_code == 0, told.output
    assert "event_timestamp, event_type" in told.output
    assert "7 values, failed checks: " in told.output
    assert "before failed as of" in told.output
    record = json.loads(run("lineage", "events.event_type", "--down", "--format", "json").output)
    runs = {node["name"]: node["runs"] for node in record["nodes"]}
    assert [each["failed_checks"] for each in runs["popularity_score==1.0.0"]] == [TOLD, []]
    assert "user_activity_level==1.0.0" not in runs  # it counts events of whatever type
    assert "ranking_v1" in runs
    assert "flowchart" in run("lineage", "ranking_v1", "--up", "--format", "mermaid").output
    for output in ("svg", "table", "json", "mermaid"):
        written = tmp_path / output
        assert run("lineage", "events", "--format", output, "--out", written).exit_code == 0
        assert "ranking_v1" in written.read_text()
    nowhere = run("lineage", "events", "--out", tmp_path / "no" / "tree").exception
    assert isinstance(nowhere, ConfigurationError)
    assert isinstance(run("lineage", "nothing").exception, UnknownNode)


def test_impact_names_owners(run: Callable[..., Result]) -> None:
    """Of all that is made from a column."""
    found = json.loads(run("impact", "products.category", "--json").output)["affected"]
    owners = {each["name"]: each["owner"] for each in found}
    assert owners["category_popularity==1.0.0"] == "recommendation"
    assert "popularity_score==1.0.0" not in owners
    assert owners["ranking_v1"] == "ranking"
    assert "ranking_v1" in run("impact", "products.category").output


def test_impact_leaves_out_what_changes(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One version or all; and tells which serving rules name what it reaches."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("versions: {user_category_affinity: 1.0.0}")
    monkeypatch.setenv("FEATURE_STORE_SERVING_RULES", str(rules))
    for node in ("category_popularity", "category_popularity==1.0.0"):
        found = json.loads(run("impact", node, "--json").output)["affected"]
        assert {each["name"]: each["named_by"] for each in found} == {
            "user_category_affinity==1.0.0": ["a pinned version"],
            "recommendation_v1": [],
            "ranking_v1": [],
        }
    assert "a pinned version" in run("impact", "category_popularity").output
    told = json.loads(run("show", "user_category_affinity", "--json").output)
    assert "a pinned version" in told[0]["facts"]["used_by"]


def test_the_page_of_a_feature(run: Callable[..., Result], postgres: Connection) -> None:
    """Metadata, users, last run, freshness and spread."""
    postgres.execute(
        "INSERT INTO feature_latest (entity_id, feature_name, feature_value, version, timestamp) "
        "SELECT 'p' || n, 'popularity_score', to_jsonb(n / 100.0), '1.0.0', %s "
        "FROM generate_series(0, 100) AS n",
        (clock.now(),),
    )
    postgres.commit()
    told = run("show", "popularity_score", "--json")
    assert told.exception is None, told.exception
    facts = {version["version"]: version["facts"] for version in json.loads(told.output)}
    assert facts["1.0.0"]["spread"]["0.5"] == 0.5
    assert facts["1.0.0"]["entities"] == 101
    assert facts["1.0.0"]["is_fresh"]
    assert facts["1.0.0"]["failed_checks"] == TOLD
    assert [each.split()[0] for each in facts["1.0.0"]["last_runs"]] == ["succeeded", "failed"]
    assert "feature service ranking_v1 (ranking)" in facts["1.0.0"]["used_by"]
    assert facts["1.0.0"]["made_from"] == ["events", "products"]
    assert facts["2.0.0"]["newest_value"] is None
    shown = run("show", "popularity_score").output
    assert "staleness_tolerance" in shown
    assert "95%" in shown
    assert "freshness of events" in shown


@pytest.mark.usefixtures("run")
def test_the_page_over_http(applied: Settings, postgres: Connection) -> None:
    """The same facts, as far as runs have recorded them: a request counts no values."""
    distribution = {"edges": [0.0, 0.5], "shares": [0.0, 0.25, 0.75], "mean": 0.4, "count": 7}
    postgres.execute(
        "UPDATE computation_runs SET distribution = %s WHERE row_count = 7",
        (json.dumps(distribution),),
    )
    insert_run(postgres, "popularity_score", started_at=clock.now(), status="failed")
    with gateway_on(applied) as client:
        told = _json(client, "/v1/features/popularity_score/facts")["versions"]
        assert client.get("/v1/features/nothing/facts").status_code == 404
    facts = {version["version"]: version for version in told}
    assert list(facts) == ["1.0.0", "1.1.0", "2.0.0"]
    published = facts["1.0.0"]["published"]
    assert (published["row_count"], published["distribution"]) == (7, distribution)
    assert facts["1.0.0"]["is_fresh"]
    assert facts["1.0.0"]["made_from"] == ["events", "products"]
    assert {
        "what": "feature service ranking_v1",
        "owner": "ranking",
        "is_direct": True,
    } in facts["1.0.0"]["used_by"]
    statuses = [(each["status"], each["failed_checks"]) for each in facts["1.0.0"]["last_runs"]]
    assert statuses == [("failed", []), ("succeeded", TOLD), ("failed", [])]
    assert facts["2.0.0"]["published"] is None
    assert facts["2.0.0"]["is_fresh"] is None
    assert facts["2.0.0"]["last_runs"] == []


@pytest.mark.usefixtures("run")
def test_the_page_without_postgresql(applied: Settings) -> None:
    """What the registry says is told all the same."""
    nowhere = applied.model_copy(
        update={
            "postgres_url": SecretStr("postgresql://127.0.0.1:1/nowhere"),
            "on_demand_timeout_seconds": 0.1,  # so long a connection is waited for
        }
    )
    with gateway_on(nowhere) as client:
        [facts, *_] = _json(client, "/v1/features/popularity_score/facts")["versions"]
    assert facts["made_from"] == ["events", "products"]
    assert (facts["published"], facts["last_runs"]) == (None, None)


def test_search(run: Callable[..., Result]) -> None:
    """As a table and as JSON."""
    found = json.loads(run("search", "--entity", "category", "--json").output)
    assert [feature["feature_name"] for feature in found] == ["category_popularity"]
    assert "category_popularity" in run("search", "category").output


@pytest.mark.usefixtures("run")
def test_the_same_over_http(applied: Settings) -> None:
    """Lineage, impact, search; what does not exist is 404, what is asked wrongly 422."""
    with gateway_on(applied) as client:
        lineage = _json(client, "/v1/lineage/popularity_score==1.0.0", direction="up")
        assert {node["name"] for node in lineage["nodes"]} == {
            "events",
            "products",
            "popularity_score==1.0.0",
        }
        runs = {node["name"]: node["runs"] for node in lineage["nodes"]}
        assert [each["row_count"] for each in runs["popularity_score==1.0.0"]] == [7, None]
        assert runs["popularity_score==1.0.0"][0]["failed_checks"] == TOLD
        assert runs["events"] is None
        impact = _json(client, "/v1/impact/events.event_type")
        assert {"name": "ranking_v1", "kind": "service", "owner": "ranking"} in impact["affected"]
        impact = _json(client, "/v1/impact/user_category_affinity")
        assert {each["name"] for each in impact["affected"]} == {"recommendation_v1", "ranking_v1"}
        found = _json(client, "/v1/features", owner="search", text="fresh")
        assert [each["feature_name"] for each in found["features"]] == ["product_freshness_score"]
        assert client.get("/v1/lineage/nothing").status_code == 404
        assert client.get("/v1/impact/events.nothing").status_code == 404
        assert client.get("/v1/features", params={"color": "red"}).status_code == 422
        assert client.get("/v1/lineage/events", params={"depth": 0}).status_code == 422


@pytest.mark.usefixtures("run")
def test_runs_that_cant_be_read_are_left_out(applied: Settings, postgres: Connection) -> None:
    """In time, and without leaving a statement behind that goes on for nobody."""
    postgres.execute("LOCK TABLE computation_runs IN ACCESS EXCLUSIVE MODE")
    settings = applied.model_copy(update={"on_demand_timeout_seconds": 0.3})
    with gateway_on(settings) as client:
        lineage = _json(client, "/v1/lineage/popularity_score==1.0.0")
        going_on = postgres.execute(
            "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        ).fetchall()
    assert {node["runs"] for node in lineage["nodes"]} == {None}
    assert going_on == []


def _json(client: httpx.Client, path: str, **parameters: str) -> dict[str, Any]:
    response = client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found
