"""Exact versions become columns; nothing else does."""

import pytest

from feature_repo.history.extensions import load_extensions
from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features
from feature_repo.training.selection import select_exact, wanted_columns
from foundation.errors import ConfigurationError, UnknownFeature, UnknownVersion

FEATURES = gather_features()
CATALOG = Catalog(
    FEATURES, {"search": ["search_keyword_score==1.0.0", "popularity_score==1.0.0"], "none": []}
)
# By their paths, as feature_store.yaml names them: these packages are above.
EXTENSIONS = load_extensions(
    older_values="transformations.archives.reading.ArchivedValues",
    computations="transformations.on_demand.history.PastComputations",
)


def test_versions_in_the_order_in_which_they_are_named() -> None:
    """Each once; those of a feature service in its order."""
    references = ["popularity_score==1.1.0", "user_factors==1.0.0", "popularity_score==1.1.0"]
    found = select_exact(CATALOG, references, feature_service=None)
    assert [feature.reference for feature in found] == references[:2]
    of_service = select_exact(CATALOG, [], feature_service="search")
    assert [feature.reference for feature in of_service] == CATALOG.services["search"]


@pytest.mark.parametrize(
    ("references", "service", "error", "hint"),
    [
        ([], None, ConfigurationError, "--feature-service"),
        (["popularity_score==1.0.0"], "search", ConfigurationError, "--feature-service"),
        ([], "nobody", ConfigurationError, "none, search"),
        (["popularity_score"], None, ConfigurationError, "popularity_score==1.1.0 (active)"),
        (["popularity_score==^1"], None, ConfigurationError, "popularity_score==1.0.0 (active)"),
        (["popularity_score==9.0.0"], None, UnknownVersion, "1.0.0 (active)"),
        (["liking==1.0.0"], None, UnknownFeature, "popularity_score"),
    ],
)
def test_what_could_mean_something_else_tomorrow(
    references: list[str], service: str | None, error: type[Exception], hint: str
) -> None:
    """Is refused, with what could be meant."""
    with pytest.raises(error) as raised:
        select_exact(CATALOG, references, feature_service=service)
    assert hint in str(raised.value)


def test_columns_are_named_plainly_or_in_full() -> None:
    """Two versions of a feature need the full names."""
    both = select_exact(
        CATALOG, ["popularity_score==1.0.0", "popularity_score==1.1.0"], feature_service=None
    )
    names = [
        column.name for column in wanted_columns(CATALOG, both, EXTENSIONS, full_feature_names=True)
    ]
    assert names == [f"popularity_score_v1_{minor}_0__popularity_score" for minor in (0, 1)]
    assert [
        column.name
        for column in wanted_columns(CATALOG, both[:1], EXTENSIONS, full_feature_names=False)
    ] == ["popularity_score"]
    with pytest.raises(ConfigurationError, match="--full-feature-names"):
        wanted_columns(CATALOG, both, EXTENSIONS, full_feature_names=False)


def test_what_is_computed_knows_what_from() -> None:
    """A score of meanings takes embeddings; what is only stored takes nothing."""
    features = select_exact(
        CATALOG,
        ["search_semantic_score==1.0.0", "user_category_affinity==1.0.0"],
        feature_service=None,
    )
    found = wanted_columns(CATALOG, features, EXTENSIONS, full_feature_names=False)
    assert [[each.reference for each in column.dependencies] for column in found] == [
        ["product_embedding==1.0.0"],
        [],
    ]
