"""What fitting a model gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True)
class Fitted:
    """
    The values that a fitted model gives, and how good it is.

    Attributes:
        values: By feature name: the join keys and `feature_value`, like an expression's result.
        metrics: How good the model is, by metric name; greater is better.
    """

    values: Mapping[str, pa.Table]
    metrics: Mapping[str, float] = field(default_factory=dict)
