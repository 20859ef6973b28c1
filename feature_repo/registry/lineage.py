"""Which feature versions are computed from which."""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import DefinitionError


def in_dependency_order(features: Iterable[FeatureVersion]) -> list[FeatureVersion]:
    """
    Return feature versions so that each comes after those it depends on.

    Raises:
        DefinitionError: A dependency is not among the features, or dependencies form a cycle.
    """
    by_reference = {feature.reference: feature for feature in features}
    for feature in by_reference.values():
        for dependency in feature.dependencies:
            if dependency not in by_reference:
                raise DefinitionError(
                    f"{feature.feature_name}.py: {feature.reference}, dependencies: "
                    f"{dependency!r} is not defined",
                    hint=f"Defined are {', '.join(sorted(by_reference))}.",
                )
    graph = TopologicalSorter({f.reference: f.dependencies for f in by_reference.values()})
    try:
        return [by_reference[reference] for reference in graph.static_order()]
    except CycleError as error:
        cycle = " -> ".join(error.args[1])
        file = f"{by_reference[error.args[1][0]].feature_name}.py"
        raise DefinitionError(f"{file}: dependencies: they form a cycle: {cycle}") from None
