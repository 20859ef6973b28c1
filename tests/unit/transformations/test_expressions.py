"""A job's expression is found by name, and its fingerprint follows its meaning."""

from typing import Any

import pytest

from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import DefinitionError
from transformations.expressions import code_fingerprint, computation_module, is_model
from transformations.jobs import Job

FEATURES = {feature.feature_name: feature for feature in gather_features()}


def _changed(**changes: Any) -> Job:  # noqa: ANN401 - any field
    return Job((FEATURES["product_freshness_score"].model_copy(update=changes),), ())


def test_the_fingerprint_changes_with_a_parameter_only() -> None:
    """Descriptions don't change what is computed; parameters do."""
    fingerprint = code_fingerprint(_changed())
    assert code_fingerprint(_changed(description="Other words.")) == fingerprint
    assert code_fingerprint(_changed(parameters={"half_life_days": 31.0})) != fingerprint


@pytest.mark.parametrize("feature", gather_features(), ids=lambda feature: feature.reference)
def test_every_feature_has_a_fingerprint(feature: FeatureVersion) -> None:
    """Also models, and what is computed on demand only; parameters change it there too."""
    by_reference = {each.reference: each for each in gather_features()}
    dependencies = tuple(by_reference[reference] for reference in feature.dependencies)
    changed = feature.model_copy(update={"parameters": {**feature.parameters, "extra": 1.0}})
    if is_model(computation_module(feature)) or feature.computation_frequency is None:
        assert code_fingerprint(Job((feature,), dependencies)) != code_fingerprint(
            Job((changed,), dependencies)
        )
    assert len(code_fingerprint(Job((feature,), dependencies))) == 64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"computation": "nowhere"}, "computation: there is no"),
        ({"source": ("orders",)}, "source: 'orders' is not a source table"),
        ({"parameters": {"half_life": 1.0}}, "parameters: .*half_life"),
    ],
)
def test_a_definition_that_no_code_matches_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    """The error names feature and field."""
    with pytest.raises(DefinitionError, match=f"product_freshness_score==1.0.0, {message}"):
        code_fingerprint(_changed(**changes))
