"""What the README says about adding a feature is all there is to do."""

import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from feast import FeatureStore

from feature_repo.registry.catalog import REPO_PATH, read_catalog
from feature_repo.registry.views import feature_view
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


def _let_a_week_go_by() -> None:
    """Have the registry say that the feature was retired eight days ago."""
    catalog = read_catalog()
    [retired] = catalog.versions(FEATURE)
    assert retired.retired_at is not None
    earlier = retired.with_changes(retired_at=retired.retired_at - timedelta(days=8))
    view = feature_view(earlier, catalog.computations[retired.reference])
    FeatureStore(repo_path=str(REPO_PATH)).apply([view])


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
    _run(feast, "apply", folder=repo, project=project)
    _let_a_week_go_by()
    remove = (sys.executable, "-m", "feature_repo", "remove-retired")
    _run(*remove, folder=project, project=project)
    assert not valkey.exists(KEY)
    for path in (*added, repo / "lifecycle.yaml"):
        path.unlink()
    _run(feast, "apply", folder=repo, project=project)
