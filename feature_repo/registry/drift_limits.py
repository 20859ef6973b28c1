"""How far a feature's values may move away from a reference before they count as drifted."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Limit = Annotated[float, Field(gt=0)] | None
Share = Annotated[float, Field(gt=0, le=1)] | None


class DriftLimits(BaseModel):
    """Greatest distances, by statistic; None: the statistic is not looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    psi: Limit = Field(default=0.2, description="Population stability index.")
    ks: Share = Field(default=0.15, description="Greatest distance of the cumulative shares.")
    mean: Limit = Field(default=0.35, description="In the reference's standard deviations.")
    quantile: Limit = Field(
        default=0.15,
        description="Of the 5, 25, 50, 75 and 95 % quantiles, in the reference's 5 to 95 % range.",
    )
    count: Share = Field(
        default=0.5, description="Share of the entities by which there are fewer than there were."
    )
    null_rate: Share = Field(default=0.02, description="Difference of the shares of nulls.")
    new_keys: Share = Field(
        default=0.02, description="Share of entities with a key or string that nobody had."
    )
    vanished_keys: Share = Field(
        default=0.02, description="Share of entities that had a key or string that nobody has."
    )
    key_share: Share = Field(
        default=0.15, description="Difference of the shares of entities that have one key."
    )
