"""What fields of several bodies hold."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from feature_repo.registry.versions import EXACT, SELECTOR

EntityId = Annotated[str, StringConstraints(min_length=1, max_length=1_024)]
FeatureName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Version = Annotated[str, StringConstraints(pattern=SELECTOR)]
ExactVersion = Annotated[str, StringConstraints(pattern=EXACT)]
# Of an embedding. Computations are done in 32 bits, which squares of larger ones might not fit.
Component = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
ServedFrom = Literal["online", "offline", "on_demand", "default", "not_asked"]
Value = float | str | list[float] | dict[str, float] | None
