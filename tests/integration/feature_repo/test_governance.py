"""Plan and lifecycle, by the commands, against a real registry."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from feature_repo.cli import app
from feature_repo.commands import lifecycle as commands
from feature_repo.registry import lifecycle
from feature_repo.registry.catalog import REPO_PATH, read_catalog
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.stores.feature_use import ADD_REQUESTS
from foundation import clock
from foundation.errors import ContractViolation, UnknownVersion
from foundation.postgres import Connection
from foundation.settings import Settings
from tests.integration.feature_repo.conftest import Feast

OLD = "popularity_score==1.1.0"


@pytest.fixture
def run(settings: Settings, applied: Settings) -> Callable[..., Result]:
    """Return a function that runs `python -m feature_repo`."""
    assert settings
    assert applied
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_nothing_to_do_after_apply(run: Callable[..., Result]) -> None:
    """In words, as JSON and as Markdown."""
    assert "Nothing changes" in run("plan").output
    assert '"violations": 0' in run("plan", "--json").output
    assert "Nothing changes" in run("plan", "--markdown").output


def test_a_changed_computation_is_refused_by_plan_and_by_apply(
    run: Callable[..., Result], feast: Feast, tmp_path: Path
) -> None:
    """Before anything is deployed; `apply` in a copy of the folder whose definition differs."""
    copy = Path(
        shutil.copytree(
            REPO_PATH, tmp_path / "feature_repo", ignore=shutil.ignore_patterns("__pycache__")
        )
    )
    definition = copy / "features" / "product_freshness_score.py"
    text = definition.read_text()
    assert "default=None" in text
    definition.write_text(text.replace("default=None", "default=0.5"))
    before = read_catalog()
    refused = feast("apply", folder=copy)
    assert refused.returncode == 1
    assert "product_freshness_score==1.0.0: default changed" in refused.stderr
    assert "add 1.0.1" in refused.stderr
    assert read_catalog().features == before.features
    assert run("plan").exit_code == 0


def test_commands_write_the_file(
    run: Callable[..., Result],
    postgres: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is in use is not retired; what is not defined is named."""
    file = tmp_path / "lifecycle.yaml"

    def write(feature: FeatureVersion) -> None:
        lifecycle.write_state(feature, file)

    monkeypatch.setattr(commands, "write_state", write)
    assert run("promote", "popularity_score==2.0.0").exit_code == 0
    deprecated = run(
        "deprecate", OLD, "--sunset", "2999-01-01", "--replaced-by", "popularity_score==2.0.0"
    )
    assert deprecated.exit_code == 0, deprecated.output
    states = lifecycle.read_states(file)
    assert states[OLD]["status"] == Status.DEPRECATED
    assert isinstance(run("retire", "popularity_score==9.0.0").exception, UnknownVersion)
    in_service = run("retire", "popularity_score==1.0.0").exception
    assert isinstance(in_service, ContractViolation)
    assert "feature service search_v1" in in_service.message
    served = {"feature_names": ["popularity_score"], "versions": ["1.1.0"], "requests": [7]}
    postgres.execute(ADD_REQUESTS, {**served, "day": clock.now().date()})
    postgres.commit()
    in_use = run("retire", OLD).exception
    assert isinstance(in_use, ContractViolation)
    assert "7 times" in in_use.message
    assert run("retire", OLD, "--force").exit_code == 0
    assert lifecycle.read_states(file)[OLD]["status"] == Status.RETIRED


def test_what_a_range_selects_is_not_retired(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or whoever is served by it would be served nothing; nor by force."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("versions: {popularity_score: ~1.1}")
    monkeypatch.setenv("FEATURE_STORE_SERVING_RULES", str(rules))
    refused = run("retire", OLD, "--force").exception
    assert isinstance(refused, ContractViolation)
    assert "a pinned version" in refused.message
