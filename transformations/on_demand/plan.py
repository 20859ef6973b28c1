"""What a computation on demand is asked, and what it would do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType

import pyarrow as pa

from feature_repo.registry.metadata import FeatureVersion
from transformations.computations.statements import Statement
from transformations.embedding import Embed


@dataclass(frozen=True)
class Request:
    """
    Entities whose values are wanted.

    Attributes:
        feature: What to compute.
        module: Of its computation.
        wanted: The join keys; one row a distinct entity, no null.
        dependencies: The feature versions that it is computed from.
        as_of: Aware instant of the answer.
        embed: Turns texts into vectors.
    """

    feature: FeatureVersion
    module: ModuleType
    wanted: pa.Table
    dependencies: Sequence[FeatureVersion]
    as_of: datetime
    embed: Embed


@dataclass(frozen=True)
class Plan:
    """
    What to read, and how values follow from it.

    Attributes:
        statements: By name.
        finish: From their rows, by the same names, to the join keys and `feature_value`, or for a
            map `map_keys` and `map_values`; an entity without a value has no row.
        embeds: Whether `finish` turns texts into vectors, which may take long.
    """

    statements: Mapping[str, Statement]
    finish: Callable[[Mapping[str, pa.Table]], pa.Table]
    embeds: bool = False
