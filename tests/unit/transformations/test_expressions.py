"""A job's expression is found by name, and its fingerprint follows its meaning."""

from typing import Any

import pytest

from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import DefinitionError
from transformations.expressions import code_fingerprint, computation_module, is_model
from transformations.jobs import Job, jobs_of

FEATURES = {feature.feature_name: feature for feature in gather_features()}


def _changed(**changes: Any) -> Job:  # noqa: ANN401 - any field
    return Job((FEATURES["product_freshness_score"].model_copy(update=changes),), ())


def test_the_fingerprint_changes_with_a_parameter_only() -> None:
    """Descriptions don't change what is computed; parameters do."""
    fingerprint = code_fingerprint(_changed())
    assert code_fingerprint(_changed(description="Other words.")) == fingerprint
    assert code_fingerprint(_changed(parameters={"half_life_days": 31.0})) != fingerprint


@pytest.mark.parametrize("job", jobs_of(gather_features()), ids=lambda job: job.name)
def test_every_job_has_a_fingerprint(job: Job) -> None:
    """A model's changes with any of its parameters, whatever they do."""
    assert len(code_fingerprint(job)) == 64
    if is_model(computation_module(job.leader)):
        assert code_fingerprint(_with_another_parameter(job)) != code_fingerprint(job)


@pytest.mark.parametrize(
    "feature",
    [feature for feature in gather_features() if feature.computation_frequency is None],
    ids=lambda feature: feature.reference,
)
def test_what_is_computed_on_demand_has_a_fingerprint(feature: FeatureVersion) -> None:
    """It changes with any of its parameters, too."""
    job = Job((feature,), ())
    assert code_fingerprint(_with_another_parameter(job)) != code_fingerprint(job)


def _with_another_parameter(job: Job) -> Job:
    return Job(
        tuple(
            feature.model_copy(update={"parameters": {**feature.parameters, "extra": 1.0}})
            for feature in job.features
        ),
        job.dependencies,
    )


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
