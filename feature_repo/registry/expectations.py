"""Least rows, greatest distances and shares: what a run of a feature version must meet."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints

Metric = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Expectations(BaseModel):
    """What the quality gate demands of a run of this version, beyond its type and valid range."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_row_count: PositiveInt = Field(default=1, description="Fewest rows a run may give.")
    min_row_count_ratio: float = Field(
        default=0.5, ge=0, le=1, description="Fewest rows, as a share of the last good run's."
    )
    mean_between: tuple[float, float] | None = Field(
        default=None, description="Where the mean of all values must lie."
    )
    max_stability_index: float = Field(
        default=0.25,
        gt=0,
        description="Greatest population stability index against the last good run's values.",
    )
    max_null_shares: Mapping[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict,
        description="Greatest share of nulls by nullable source column: 'products.category'.",
    )
    min_metric_ratios: Mapping[Metric, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict,
        description="By metric of a model: the least share of the last good run's that it reaches.",
    )
