"""The features that somebody is looking for."""

import pytest

from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import Status
from feature_repo.registry.search import Search, matching

FEATURES = gather_features()


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Search("KEYWORD"), {"search_keyword_score"}),
        (Search("cosine embeddings"), {"search_semantic_score"}),
        (Search("cosine trousers"), set()),
        (Search(owner="ranking", status=Status.STAGED), {"popularity_score"}),
        (Search(entity="category"), {"category_popularity"}),
        (
            Search(source="category_popularity==1.0.0"),
            {"user_category_affinity"},
        ),
        (Search(source="users"), {"user_activity_level", "user_category_affinity"}),
        (Search(tag="nobody_uses_it"), set()),
    ],
)
def test_all_that_is_asked_for_must_fit(wanted: Search, names: set[str]) -> None:
    """Words in any order and case."""
    assert {feature.feature_name for feature in matching(FEATURES, wanted)} == names


def test_who_asks_for_nothing_gets_everything() -> None:
    """And tags are found."""
    assert matching(FEATURES, Search()) == FEATURES
    tagged = FEATURES[0].model_copy(update={"tags": ("beta",)})
    assert matching([tagged, FEATURES[1]], Search(tag="beta")) == [tagged]
