"""How a feature version stands: among others, in its life, and in time; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from feature_repo.registry.inventory import Consumer, Inventory, consumers_of
from feature_repo.registry.lifecycle import is_past_sunset
from feature_repo.registry.lineage_graph import Direction, Graph, around
from feature_repo.registry.metadata import FeatureVersion


@dataclass(frozen=True)
class Standing:
    """
    How a feature version stands.

    Attributes:
        is_past_sunset: Whether it should be retired by now.
        made_from: Source tables and feature versions, near and far.
        used_by: Who uses it.
        staleness_seconds: Age of its newest value; None if it has none.
        is_fresh: Whether that is tolerated; None without values.
    """

    is_past_sunset: bool
    made_from: Sequence[str]
    used_by: Sequence[Consumer]
    staleness_seconds: float | None
    is_fresh: bool | None


def standing(
    feature: FeatureVersion,
    graph: Graph,
    inventory: Inventory,
    *,
    rules: Mapping[str, Sequence[str]],
    newest: datetime | None,
    now: datetime,
) -> Standing:
    """
    Return how a feature version stands.

    Args:
        feature: Which.
        graph: Of what is deployed.
        inventory: The same, as a list.
        rules: By reference, the serving rules that rely on it.
        newest: Event timestamp of its newest value; None if it has none.
        now: Current instant.
    """
    made_from = around(graph, feature.reference, direction=Direction.UP).nodes
    age = None if newest is None else (now - newest).total_seconds()
    return Standing(
        is_past_sunset(feature, now=now),
        [name for name in made_from if name != feature.reference],
        consumers_of(feature.reference, inventory, rules),
        age,
        None if age is None else age <= feature.staleness_tolerance.total_seconds(),
    )
