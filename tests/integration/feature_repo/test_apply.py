"""`feast apply` deploys sound definitions, and nothing of unsound ones."""

import json
import shutil
from pathlib import Path

import pytest
from feast import FeatureStore
from typer.testing import CliRunner

from feature_repo import cli
from feature_repo.registry.catalog import REPO_PATH, read_catalog
from feature_repo.registry.gather import gather_features
from feature_repo.registry.views import feature_version, feature_view
from foundation.errors import DefinitionError, UnknownFeature
from foundation.settings import Settings
from tests.integration.feature_repo.conftest import Feast


@pytest.fixture
def repo_copy(tmp_path: Path) -> Path:
    """Return a copy of feature_repo that a test may break."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(REPO_PATH, tmp_path / "feature_repo", ignore=ignored))


def test_applied_definitions_are_the_catalog(feast: Feast) -> None:
    """What was applied can be read back from the registry, metadata and all, and printed."""
    applied = feast("apply", folder=REPO_PATH)
    assert applied.returncode == 0, applied.stderr
    catalog = read_catalog()
    assert {f.reference: f for f in catalog.features} == {f.reference: f for f in gather_features()}
    assert catalog.services["search_v1"] == [
        "popularity_score==1.0.0",
        "product_freshness_score==1.0.0",
        "search_keyword_score==1.0.0",
    ]

    runner = CliRunner()
    listed = runner.invoke(cli.app, ["list", "--json"])
    assert {f["feature_name"] for f in json.loads(listed.stdout)["features"]} == {
        f.feature_name for f in catalog.features
    }
    assert "popularity_score" in runner.invoke(cli.app, ["list"]).stdout
    shown = runner.invoke(cli.app, ["show", "popularity_score"])
    assert "staleness_tolerance" in shown.stdout
    assert isinstance(runner.invoke(cli.app, ["show", "nothing"]).exception, UnknownFeature)

    planned = feast("plan", folder=REPO_PATH)
    assert planned.returncode == 0, planned.stderr
    assert "No changes" in planned.stdout


@pytest.mark.parametrize(
    ("broken", "mended", "named"),
    [
        ('owner="search",', "", "product_freshness_score, owner: Field required"),
        ("staleness_tolerance=timedelta(hours=1),", "", "product_freshness_score, staleness_"),
        ("default=None", 'default="new"', "product_freshness_score, default: 'new' is not a float"),
        (
            "VERSIONS = (",
            "VERSIONS = tuple(v.model_copy(update={'defualt': 3, 'default': 'new'}) for v in (",
            "product_freshness_score==1.0.0, defualt: Extra inputs are not permitted",
        ),
    ],
)
def test_a_broken_definition_stops_apply_on_one_screen(
    feast: Feast, repo_copy: Path, broken: str, mended: str, named: str
) -> None:
    """File, feature and field are named, without a traceback, and nothing is deployed."""
    definition = repo_copy / "features" / "product_freshness_score.py"
    source = definition.read_text()
    assert broken in source
    closed = ")" * ("tuple(" in mended)
    definition.write_text(source.replace(broken, mended) + closed)
    applied = feast("apply", folder=repo_copy)
    assert applied.returncode == 1
    assert "features/product_freshness_score.py:" in applied.stderr
    assert named in applied.stderr
    assert "Traceback" not in applied.stderr
    assert len(applied.stderr.splitlines()) <= 24


def test_one_bad_view_costs_no_other(feast: Feast) -> None:
    """What can't be read is named and left out, with what is made from it; `apply` removes it."""
    assert feast("apply", folder=REPO_PATH).returncode == 0
    sound = {feature.reference: feature for feature in read_catalog().features}
    factors = sound["user_factors==1.0.0"]
    poisoned = [
        factors.model_copy(update={"version": "1.2.0", "default": "lots"}),
        sound["popularity_score==1.0.0"].model_copy(
            update={"version": "7.0.0", "dependencies": ("user_factors==1.2.0",)}
        ),
    ]
    FeatureStore(repo_path=str(REPO_PATH)).apply([feature_view(each) for each in poisoned])
    catalog = read_catalog()
    assert {feature.reference: feature for feature in catalog.features} == sound
    assert catalog.unreadable.keys() == {each.view_name for each in poisoned}
    listed = " ".join(CliRunner().invoke(cli.app, ["list"]).stderr.split())
    assert "user_factors_v1_2_0 is left out" in listed
    assert "default: 'lots' is not a vector" in listed

    mended = feast("apply", folder=REPO_PATH)
    assert mended.returncode == 0, mended.stderr
    assert read_catalog().unreadable == {}


def test_what_a_later_release_says_of_a_version_is_left_out(applied: Settings) -> None:
    """Gateways are not all replaced at once."""
    assert applied
    store = FeatureStore(repo_path=str(REPO_PATH))
    view = store.get_feature_view("popularity_score_v1_0_0")
    feature = feature_version(view)
    view.tags["color"] = '"red"'
    assert feature_version(view) == feature
    view.tags["color"] = "red"
    with pytest.raises(DefinitionError, match="'popularity_score_v1_0_0' is not a feature version"):
        feature_version(view)
