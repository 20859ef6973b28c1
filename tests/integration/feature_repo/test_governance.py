"""Plan and lifecycle, by the commands, against a real registry."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from feast import FeatureStore
from typer.testing import CliRunner, Result

from feature_repo.cli import app
from feature_repo.commands import lifecycle as commands
from feature_repo.registry import lifecycle
from feature_repo.registry.catalog import REPO_PATH, read_catalog
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.views import feature_view
from feature_repo.stores.feature_use import ADD_REQUESTS
from foundation import clock
from foundation.errors import ConfigurationError, ContractViolation, UnknownVersion
from foundation.postgres import Connection
from foundation.settings import PROJECT_ROOT, Settings
from tests.integration.feature_repo.conftest import Feast

OLD = "popularity_score==1.1.0"
RULES = "versions: {popularity_score: ~1.1}"
Completed = subprocess.CompletedProcess[str]


@pytest.fixture
def run(settings: Settings, applied: Settings) -> Callable[..., Result]:
    """Return a function that runs `python -m feature_repo`."""
    assert settings
    assert applied
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return serving rules that the settings name."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    monkeypatch.setenv("FEATURE_STORE_SERVING_RULES", str(rules))
    return rules


@pytest.fixture
def copy(tmp_path: Path, settings: Settings, applied: Settings) -> Path:
    """Return a copy of feature_repo that a test may change; the registry holds what it defines."""
    assert settings == applied
    ignored = shutil.ignore_patterns("__pycache__", "lifecycle.yaml")
    return Path(shutil.copytree(REPO_PATH, tmp_path / "feature_repo", ignore=ignored))


def run_in(copy: Path, *arguments: str) -> Completed:
    """Run `python -m feature_repo` of a copy."""
    return subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "feature_repo", *arguments],
        cwd=copy.parent,
        env={**os.environ, "PYTHONPATH": f"{copy.parent}{os.pathsep}{PROJECT_ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )


def change(copy: Path, feature_name: str, before: str, after: str) -> None:
    """Change a definition."""
    definition = copy / "features" / f"{feature_name}.py"
    text = definition.read_text()
    assert before in text
    definition.write_text(text.replace(before, after))


def test_nothing_to_do_after_apply(run: Callable[..., Result]) -> None:
    """In words, as JSON and as Markdown; what was not looked at is told."""
    assert "Nothing changes" in run("plan").output
    assert "Serving rules were not looked at" in run("plan").output
    assert json.loads(run("plan", "--format", "json").output)["violations"] == 0
    assert run("plan", "--format", "markdown").output.startswith("Nothing changes")


@pytest.mark.usefixtures("rules")
def test_the_plan_looks_at_serving_rules(run: Callable[..., Result]) -> None:
    """And then says nothing of them, if nothing is wrong."""
    planned = run("plan")
    assert (planned.output, planned.exit_code) == ("Nothing changes.\n", 0)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("table", "refused"),
        ("json", '"violations": 1'),
        ("markdown", "**refused**: default changed, but the version is published. Leave it as"),
    ],
)
def test_a_refused_change_is_told_in_every_form(copy: Path, output: str, told: str) -> None:
    """With exit code 2."""
    change(copy, "product_freshness_score", "default=None", "default=0.5")
    planned = run_in(copy, "plan", "--format", output)
    assert planned.returncode == 2, planned.stderr
    assert told in planned.stdout
    assert "product_freshness_score==1.0.0" in planned.stdout


def test_a_changed_definition_is_refused_by_apply(copy: Path, feast: Feast) -> None:
    """Before anything is deployed."""
    change(copy, "product_freshness_score", "default=None", "default=0.5")
    before = read_catalog()
    refused = feast("apply", folder=copy)
    assert refused.returncode == 1
    assert "product_freshness_score==1.0.0: default changed" in refused.stderr
    assert "add 1.0.1" in refused.stderr
    assert read_catalog().features == before.features


def test_values_are_not_forgotten_with_their_definition(copy: Path, postgres: Connection) -> None:
    """Nobody else would find them."""
    postgres.execute(
        "INSERT INTO feature_latest (entity_id, feature_name, feature_value, version, timestamp) "
        "VALUES ('p1', 'popularity_score', '{}', '2.0.0', now())"
    )
    postgres.commit()
    change(copy, "popularity_score", "_TRENDING, _BY_EVENT_TYPE)", "_TRENDING)")
    refused = run_in(copy, "plan")
    assert refused.returncode == 2, refused.stderr
    assert "has values that nothing else would find" in refused.stdout


def test_a_version_ends_and_comes_back(copy: Path, feast: Feast) -> None:
    """By commands and deployments; a file that knows nothing of its end does not undo it."""
    file = copy / "lifecycle.yaml"
    assert run_in(copy, "retire", OLD).returncode == 0
    applied = feast("apply", folder=copy)
    assert applied.returncode == 0, applied.stderr
    [retired] = [f for f in read_catalog().features if f.reference == OLD]
    assert retired.retired_at is not None
    assert retired.decided_at is not None
    assert retired.decided_at < retired.retired_at <= clock.now()
    assert "Nothing changes" in run_in(copy, "plan").stdout
    kept = file.read_text()
    file.unlink()
    assert "decided later" in run_in(copy, "plan", "--format", "markdown").stdout
    file.write_text(kept)
    assert "active in lifecycle.yaml" in run_in(copy, "rollback", OLD).stdout
    applied = feast("apply", folder=copy)
    assert applied.returncode == 0, applied.stderr
    [back] = [f for f in read_catalog().features if f.reference == OLD]
    assert (back.status, back.retired_at) == (Status.ACTIVE, None)
    # Other tests find the registry as it was: by another definition, which nobody has decided on.
    feast_store = FeatureStore(repo_path=str(REPO_PATH))
    plain = back.with_changes(decided_at=None)
    feast_store.apply([feature_view(plain, read_catalog().computations[OLD])])


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
    unknown = run("deprecate", OLD, "--replaced-by", "popularity_score==9.0.0").exception
    assert isinstance(unknown, UnknownVersion)
    in_service = run("retire", "popularity_score==1.0.0").exception
    assert isinstance(in_service, ContractViolation)
    assert "feature service search_v1 (search)" in in_service.message
    served = {"feature_names": ["popularity_score"], "versions": ["1.1.0"], "requests": [7]}
    postgres.execute(ADD_REQUESTS, {**served, "day": clock.now().date()})
    postgres.commit()
    in_use = run("retire", OLD).exception
    assert isinstance(in_use, ContractViolation)
    assert "7 times" in in_use.message
    forced = run("retire", OLD, "--force")
    assert forced.exit_code == 0
    assert "Serving rules were not looked at" in forced.output
    assert lifecycle.read_states(file)[OLD] == {
        "status": Status.RETIRED,
        "decided_at": lifecycle.read_states(file)[OLD]["decided_at"],
        "forced": True,
    }
    too_early = run("promote", "search_semantic_score==1.0.0").exception
    assert isinstance(too_early, ContractViolation)
    assert "made from product_embedding==1.0.0, which is staged" in too_early.message


@pytest.mark.usefixtures("rules")
def test_what_a_range_selects_is_not_retired(run: Callable[..., Result]) -> None:
    """Or whoever is served by it would be served nothing; nor by force."""
    refused = run("retire", OLD, "--force").exception
    assert isinstance(refused, ContractViolation)
    assert "a pinned version" in refused.message


def test_the_document_of_features_is_up_to_date_or_not(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    """With exit code 2 if not; where it can't be written is told."""
    document = tmp_path / "features.md"
    assert run("docs", "--check").exit_code == 0
    assert run("docs", "--check", "--out", document).exit_code == 2
    assert "Wrote" in run("docs", "--out", document).output
    assert run("docs", "--check", "--out", document).exit_code == 0
    document.write_text(document.read_text() + "More.\n")
    stale = run("docs", "--check", "--out", document)
    assert (stale.exit_code, "out of date" in stale.output) == (2, True)
    nowhere = run("docs", "--out", tmp_path / "no" / "features.md").exception
    assert isinstance(nowhere, ConfigurationError)
    assert "--out" in nowhere.message
