"""The last runs of feature versions, however many there were."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.run_facts import (
    LAST_RUNS,
    RUNS_SHOWN,
    last_runs,
    last_runs_parameters,
)
from foundation.postgres import Connection
from tests.integration.feature_repo.stores.conftest import make_feature
from tests.integration.monitoring.runs_on_record import FAILED, insert_run

START = datetime(2026, 6, 1, tzinfo=UTC)
FEATURE = make_feature("f", FeatureType.FLOAT)
OTHER = make_feature("g", FeatureType.FLOAT)


def test_the_last_few_runs_come_newest_first(postgres: Connection) -> None:
    """Those that ended, and of a chosen instant none."""
    for hour in range(RUNS_SHOWN + 2):
        insert_run(postgres, "f", started_at=START + timedelta(hours=hour), rows=hour)
    late = START + timedelta(days=1)
    insert_run(postgres, "f", started_at=late, status="running")
    insert_run(postgres, "f", started_at=late, backfill=True)
    insert_run(postgres, "f", started_at=late, status="failed", checks=(FAILED,))
    insert_run(postgres, "f", started_at=late, version="2.0.0")
    found = last_runs(postgres, [FEATURE, OTHER])
    assert [run["row_count"] for run in found["f==1.0.0"]] == [None, 6, 5, 4, 3]
    assert [run["failed_checks"] for run in found["f==1.0.0"]][:2] == [["range"], []]
    assert found["g==1.0.0"] == []
    assert len(found) == 2


def test_watermarks_are_of_each_source(postgres: Connection) -> None:
    """As the quality gate found them."""
    insert_run(postgres, "f", started_at=START)
    newest = START.isoformat()
    inputs = {"events": {"newest": newest, "row_count": 3}, "products": {"newest": None}}
    postgres.execute("UPDATE computation_runs SET inputs = %s", (json.dumps(inputs),))
    [run] = last_runs(postgres, [FEATURE])["f==1.0.0"]
    assert run["watermarks"] == {"events": newest, "products": None}


@pytest.mark.parametrize("version_count", [1, 3])
def test_old_runs_are_not_looked_at(postgres: Connection, version_count: int) -> None:
    """What a year of runs every five minutes would make slow."""
    postgres.execute(
        """
        INSERT INTO computation_runs (run_id, job_name, feature_name, version, engine, as_of,
            started_at, status, code_fingerprint)
        SELECT gen_random_uuid(), 'f', 'f', number %% %(versions)s || '.0.0', 'postgres',
            at, at, 'succeeded', ''
        FROM generate_series(1, 20000) AS number,
            LATERAL (SELECT %(start)s + number * interval '5 minutes' AS at) AS instant
        """,
        {"versions": version_count, "start": START},
    )
    postgres.execute("ANALYZE computation_runs")
    features = [FEATURE.model_copy(update={"version": f"{n}.0.0"}) for n in range(version_count)]
    [(plan,)] = postgres.execute(
        b"EXPLAIN (ANALYZE, FORMAT JSON) " + LAST_RUNS.encode(), last_runs_parameters(features)
    ).fetchall()
    assert "computation_runs_by_start" in json.dumps(plan)
    read = [
        node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0)
        for node in _nodes(plan[0]["Plan"])
        if node.get("Relation Name") == "computation_runs"
    ]
    assert sum(read) <= RUNS_SHOWN * version_count


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(found for each in node.get("Plans", ()) for found in _nodes(each))]
