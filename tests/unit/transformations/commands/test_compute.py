"""What the command takes for entity ids."""

import pytest

from feature_repo.registry.gather import gather_features
from foundation.errors import ContractViolation
from transformations.commands.compute import wanted_entities

FEATURES = {feature.feature_name: feature for feature in gather_features()}


def test_ids_of_one_key_are_the_key() -> None:
    """Whatever they contain, as in requests to the gateway."""
    wanted = wanted_entities(FEATURES["product_freshness_score"], ["p1", "p:1", "100%"])
    assert wanted.to_pydict() == {"product_id": ["p1", "p:1", "100%"]}


def test_ids_of_several_keys_are_escaped_and_joined() -> None:
    """A query may hold blanks, and escaped colons; a lone % needs no escape."""
    wanted = wanted_entities(
        FEATURES["search_keyword_score"], ["p1:organic milk", "p%3A1:50% off%3A tea", "p1:"]
    )
    assert wanted.to_pydict() == {
        "product_id": ["p1", "p:1", "p1"],
        "query": ["organic milk", "50% off: tea", ""],
    }


@pytest.mark.parametrize("identifier", ["p1", "p1:milk:tea", ""])
def test_ids_of_another_entity_are_refused(identifier: str) -> None:
    """The error says which keys an id has."""
    with pytest.raises(ContractViolation, match="is no id of product_query") as caught:
        wanted_entities(FEATURES["search_keyword_score"], [identifier])
    assert "product_id and query" in caught.value.hint
