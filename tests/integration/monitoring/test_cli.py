"""`python -m monitoring status` prints staleness, and its exit code tells."""

import json

from typer.testing import CliRunner

from foundation import clock
from foundation.postgres import Connection
from foundation.settings import Settings
from monitoring import cli
from tests.integration.monitoring.runs_on_record import insert_run


def test_the_exit_code_tells_of_stale_features(applied: Settings, postgres: Connection) -> None:
    """2 while a live version of a job has no fresh value, 0 when all have."""
    assert applied
    runner = CliRunner()
    empty = runner.invoke(cli.app, ["status", "--json"])
    assert empty.exit_code == 2
    assert {state["staleness_seconds"] for state in json.loads(empty.stdout)} == {None}
    watched = [(state["feature_name"], state["version"]) for state in json.loads(empty.stdout)]
    assert ("popularity_score", "1.1.0") in watched
    assert ("popularity_score", "2.0.0") not in watched  # staged
    assert ("search_keyword_score", "1.0.0") not in watched  # on demand
    for feature_name, version in watched:
        insert_run(postgres, feature_name, version=version, started_at=clock.now())
    fresh = runner.invoke(cli.app, ["status"])
    assert fresh.exit_code == 0
    assert all(name in fresh.stdout for name, _ in watched)
