"""What the README says about adding a feature is all there is to do."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from foundation import clock
from foundation.postgres import connect
from foundation.settings import PROJECT_ROOT, Settings

FEATURE = "product_age_days"
KEY = f"feature:{FEATURE}:p1:v1.0.0"
IMPORTS = {
    "feature_repo/features": """
from datetime import UTC, datetime, timedelta
from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status
""",
    "transformations/computations": """
from datetime import datetime
import ibis.expr.types as ir
from transformations.computations.decay import age_days, instant
""",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the packages that a feature is added to."""
    for package in ("feature_repo", "transformations"):
        shutil.copytree(
            PROJECT_ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def _run(*command: str | Path, folder: Path, project: Path) -> None:
    finished = subprocess.run(  # noqa: S603 - our own commands
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{project}{os.pathsep}{PROJECT_ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_the_readmes_feature_lives_and_leaves(
    settings: Settings, valkey: redis.Redis, project: Path
) -> None:
    """Two files make a feature that is computed; retired and removed, its values are gone."""
    section = (PROJECT_ROOT / "README.md").read_text().partition("## Add a feature")[2]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    added = []
    for (folder, imports), block in zip(IMPORTS.items(), blocks, strict=True):
        path = project / folder / f"{FEATURE}.py"
        path.write_text(imports + block)
        added.append(path)
    with connect(settings) as connection:
        now = clock.now()
        connection.execute(
            "INSERT INTO products VALUES ('p1', 't', '', 'c', 1, %s, %s)", (now, now)
        )
    feast, repo = Path(sys.executable).with_name("feast"), project / "feature_repo"
    _run(feast, "apply", folder=repo, project=project)
    run = (sys.executable, "-m", "transformations", "run", FEATURE)
    _run(*run, folder=project, project=project)
    assert valkey.exists(KEY)
    retire = (sys.executable, "-m", "feature_repo", "retire", f"{FEATURE}==1.0.0")
    _run(*retire, folder=project, project=project)
    lifecycle = repo / "lifecycle.yaml"
    lifecycle.write_text(
        re.sub("retired_at: .*", "retired_at: 2026-01-02T00:00:00Z", lifecycle.read_text())
    )
    _run(feast, "apply", folder=repo, project=project)
    remove = (sys.executable, "-m", "feature_repo", "remove-retired")
    _run(*remove, folder=project, project=project)
    assert not valkey.exists(KEY)
    for path in (*added, lifecycle):
        path.unlink()
    _run(feast, "apply", folder=repo, project=project)
