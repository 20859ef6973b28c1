"""Definitions are gathered from files; what is wrong is named by file, feature and field."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.metadata import Status
from foundation.errors import DefinitionError

GatherSource = Callable[[dict[str, str]], list[str]]

_HEADER = """
from datetime import UTC, datetime, timedelta
from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

def version(feature_name, **changes):
    fields = dict(
        feature_name=feature_name, version="1.0.0", feature_type=FeatureType.FLOAT,
        description="A test.", entity="product", join_keys=("product_id",),
        computation="test", source=("events",), owner="search", status=Status.ACTIVE,
        created_at=datetime(2026, 1, 1, tzinfo=UTC), updated_at=datetime(2026, 1, 1, tzinfo=UTC),
        default=0.0, staleness_tolerance=timedelta(hours=1),
        computation_frequency=timedelta(hours=1), history_interval=timedelta(days=1),
    )
    fields.update(changes)
    return FeatureVersion(**{name: value for name, value in fields.items() if value != "absent"})
"""

_COPY = """
from feature_repo.registry.expectations import Expectations
VERSIONS = (version("a").model_copy(update={{"{}": {}}}),)
"""


@pytest.fixture
def gather(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GatherSource:
    """Return a function that gathers a package of the given modules' sources."""

    def gather_source(modules: dict[str, str]) -> list[str]:
        package = f"definitions_{tmp_path.name}"
        folder = tmp_path / package
        folder.mkdir()
        (folder / "__init__.py").touch()
        for name, source in modules.items():
            (folder / f"{name}.py").write_text(_HEADER + source)
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        try:
            return [feature.reference for feature in gather_features(package)]
        finally:
            for name in [name for name in sys.modules if name.startswith(package)]:
                del sys.modules[name]

    return gather_source


def test_dependencies_come_first(gather: GatherSource) -> None:
    """The order is that of the dependencies, not of the file names."""
    references = gather(
        {
            "a": 'VERSIONS = (version("a", dependencies=("b==1.0.0",)),)',
            "b": 'VERSIONS = (version("b"),)',
        }
    )
    assert references == ["b==1.0.0", "a==1.0.0"]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ('VERSIONS = (version("a", owner="absent"),)', ("/a.py:", "a, owner", "required")),
        ('VERSIONS = (version("a", staleness_tolerance="absent"),)', ("a, staleness_tolerance",)),
        ('VERSIONS = (version("a", version="1"),)', ("a, version", "MAJOR.MINOR.PATCH")),
        ('VERSIONS = (version("a", default="x"),)', ("a, default", "not a float")),
        ('VERSIONS = (version("b"),)', ("/a.py", "feature_name", "a.py")),
        ('VERSIONS = (version("a", entity="shop"),)', ("/a.py", "a, entity", "'shop'")),
        ('VERSIONS = (version("a", join_keys=("user_id",)),)', ("a, join_keys",)),
        ('VERSIONS = (version("a"), version("a"))', ("a.py", "a, version", "twice")),
        ('VERSIONS = (version("a", dependencies=("z==1.0.0",)),)', ("a.py", "dependencies", "z==")),
        (
            """VERSIONS = (version("a", dependencies=("a==1.1.0",)),
                           version("a", version="1.1.0", dependencies=("a==1.0.0",)))""",
            ("a.py", "cycle"),
        ),
        ("", ("/a.py", "no VERSIONS")),
        ('VERSIONS = ("a",)', ("/a.py", "'a', no FeatureVersion")),
        (_COPY.format("version", "'1.3'"), ("/a.py", "a==1.3, version", "MAJOR.MINOR.PATCH")),
        (_COPY.format("default", "'x'"), ("/a.py", "a==1.0.0, default", "not a float")),
        (_COPY.format("defualt", "3"), ("/a.py", "a==1.0.0, defualt", "not permitted")),
        (
            _COPY.format("expectations", "Expectations().model_copy(update={'min_row_count': 0})"),
            ("/a.py", "a==1.0.0, expectations.min_row_count"),
        ),
    ],
)
def test_a_wrong_definition_is_named(
    gather: GatherSource, definition: str, expected: tuple[str, ...]
) -> None:
    """The error names file, feature and field, and says what is wrong."""
    with pytest.raises(DefinitionError) as caught:
        gather({"a": definition})
    for part in expected:
        assert part in str(caught.value)


def test_the_file_is_named_that_is_wrong(gather: GatherSource) -> None:
    """Not the one that takes something from it."""
    modules = {"a": "from . import b", "b": "X = version('b', owner='absent')"}
    with pytest.raises(DefinitionError, match=r"/b\.py:\d+: b, owner: Field required"):
        gather(modules)


def test_versions_of_one_job_must_be_of_one_computation(gather: GatherSource) -> None:
    """They can't be computed together otherwise."""
    modules = {
        "a": 'VERSIONS = (version("a", job="together"),)',
        "b": 'VERSIONS = (version("b", job="together", parameters={"x": 1.0}),)',
    }
    with pytest.raises(DefinitionError, match=r"b\.py: b, parameters: differs from that of a"):
        gather(modules)


def test_own_definitions_are_sound() -> None:
    """Every definition of the project passes, and services name defined versions."""
    features = gather_features()
    assert {feature.feature_name for feature in features} >= {
        "popularity_score",
        "product_freshness_score",
        "user_category_affinity",
    }
    assert [service.name for service in gather_services(features)] == [
        "search_v1",
        "recommendation_v1",
        "ranking_v1",
    ]


@pytest.mark.parametrize("status", [Status.STAGED, Status.ACTIVE])
def test_a_service_has_a_staged_version_once_it_is_active(status: Status) -> None:
    """It may be named before."""
    name = "search_semantic_score==1.0.0"
    features = [
        feature.model_copy(update={"status": status}) if feature.reference == name else feature
        for feature in gather_features()
    ]
    services = {service.name: service for service in gather_services(features)}
    assert (name in services["search_v1"].features) == (status is Status.ACTIVE)
    assert "search_keyword_score==1.0.0" in services["search_v1"].features


def test_a_service_of_an_unknown_version_is_refused() -> None:
    """The error names the service and the reference."""
    with pytest.raises(DefinitionError, match=r"search_v1, features: 'popularity_score==1.0.0'"):
        gather_services([])


def test_definitions_are_the_same_wherever_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of the machine changes nothing that is planned and applied."""
    before = gather_features()
    monkeypatch.setenv("FEATURE_STORE_EMBEDDING_COMMAND", "minilm")
    for feature in before:
        importlib.reload(importlib.import_module(f"feature_repo.features.{feature.feature_name}"))
    assert gather_features() == before
