"""Execute a job: on an engine, and for a model by fitting it to what the engine gives."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from foundation.errors import ContractViolation
from transformations.engines import Engine
from transformations.expressions import computation_module, is_model, job_expression
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


def compute(engine: Engine, job: Job, *, as_of: datetime) -> Computed:
    """
    Execute a job as of an instant.

    Raises:
        ContractViolation: The computation gives no values for one of the features, or not in the
            promised shape.
    """
    expression = job_expression(job, as_of=as_of)
    module = computation_module(job.leader)
    if not is_model(module):
        values = typed_values(job.leader, engine.execute(expression))
        return Computed({job.leader.reference: values}, {})
    extracted = engine.execute(expression)
    accepted = inspect.signature(module.fit).parameters
    fitted = module.fit(
        extracted,
        as_of=as_of,
        **{name: value for name, value in job.leader.parameters.items() if name in accepted},
    )
    missing = [f.feature_name for f in job.features if f.feature_name not in fitted.values]
    if missing:
        raise ContractViolation(f"{job.name}: fitting it gives no {', '.join(missing)}")
    values = {f.reference: typed_values(f, fitted.values[f.feature_name]) for f in job.features}
    return Computed(values, fitted.metrics)
