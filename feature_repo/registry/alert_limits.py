"""How a feature must be served, or else somebody is told."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(gt=0, lt=1)] | None


class AlertLimits(BaseModel):
    """
    Shares of served values, by version; None: nobody is told.

    The defaults are those of the platform. A feature of which most entities have no value in the
    normal course of things, like one of users where most visitors are new, says what is normal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hit_rate: Share = Field(default=0.6, description="Least share that comes from Redis.")
    unavailable: Share = Field(default=0.05, description="Greatest share of defaults.")
