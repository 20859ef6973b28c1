"""`profile` looks at what is stored."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from foundation.errors import ConfigurationError
from foundation.postgres import Connection
from foundation.settings import load_settings
from tests.integration.feature_repo.training.conftest import HOUR, START, Run
from transformations.archives.storage import Archive
from transformations.retention import archive_months


def test_a_profile_is_printed_and_plotted(
    run: Run, history: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the version that is served, or of another; of a time that the user chooses."""
    assert history
    monkeypatch.setenv("FEATURE_STORE_SNAPSHOT_URL", (tmp_path / "snapshots").as_uri())
    png = tmp_path / "plot.png"
    time = ("--from", START.isoformat(), "--to", (START + 6 * HOUR).isoformat())
    result = run("profile", "popularity_score==1.0.0", *time, "--out", png)
    assert result.exit_code == 0, result.output
    assert "popularity_score==1.0.0, 12 numbers" in result.output
    assert png.read_bytes().startswith(b"\x89PNG")
    assert (
        "popularity_score==1.1.0" in run("profile", "popularity_score", *time, "--out", png).output
    )
    printed = run("profile", "popularity_score", *time, "--out", png, "--format", "json").output
    record = json.loads(printed)
    assert (record["feature"], record["plot"]) == ("popularity_score==1.1.0", str(png))
    assert record["figures"]["mean"] == pytest.approx(0.35)
    assert [period["entity_count"] for period in record["periods"]] == [2] * 6
    maps = run("profile", "user_category_affinity", *time, "--out", png)
    assert "6 numbers" in maps.output
    nowhere = run("profile", "popularity_score", *time, "--out", tmp_path / "missing" / "plot.png")
    assert isinstance(nowhere.exception, ConfigurationError)
    settings = load_settings()
    archive_months(settings, Archive.open(settings), now=START + timedelta(days=400), dry_run=False)
    archived = run("profile", "popularity_score==1.0.0", *time, "--out", png)
    assert archived.output == result.output
    backwards = ("--from", time[3], "--to", time[1])
    assert isinstance(run("profile", "popularity_score", *backwards).exception, ConfigurationError)
