"""From what an engine gives to the values of a job, for a model by fitting it."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from foundation.errors import ContractViolation
from transformations.embedding import Embed, no_model
from transformations.expressions import computation_module, is_model
from transformations.jobs import Job
from transformations.values import typed_values


@dataclass(frozen=True)
class Computed:
    """
    What a job gave.

    Attributes:
        values: By reference: entity_id and feature_value; see `typed_values`.
        metrics: How good a fitted model is, by metric name; empty for an expression.
    """

    values: Mapping[str, pa.Table]
    metrics: Mapping[str, float]


def compute(job: Job, extracted: pa.Table, *, as_of: datetime, embed: Embed = no_model) -> Computed:
    """
    Return the values of a job.

    Args:
        job: What to compute.
        extracted: The rows of its expression.
        as_of: Aware instant that they belong to.
        embed: Turns texts into vectors, for models whose `fit` takes it.

    Raises:
        ContractViolation: The computation gives no values for one of the features, or not in the
            promised shape.
    """
    module = computation_module(job.leader)
    if not is_model(module):
        return Computed({job.leader.reference: typed_values(job.leader, extracted)}, {})
    accepted = inspect.signature(module.fit).parameters
    extra = {"embed": embed} if "embed" in accepted else {}
    fitted = module.fit(
        extracted,
        as_of=as_of,
        **{name: value for name, value in job.leader.parameters.items() if name in accepted},
        **extra,
    )
    missing = [f.feature_name for f in job.features if f.feature_name not in fitted.values]
    if missing:
        raise ContractViolation(f"{job.name}: fitting it gives no {', '.join(missing)}")
    values = {f.reference: typed_values(f, fitted.values[f.feature_name]) for f in job.features}
    return Computed(values, fitted.metrics)
