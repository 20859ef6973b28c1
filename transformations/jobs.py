"""Which feature versions are computed together, and from which others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from feature_repo.registry.lineage import in_dependency_order
from feature_repo.registry.metadata import FeatureVersion, Status

_COMPUTED = (Status.STAGED, Status.ACTIVE, Status.DEPRECATED)


@dataclass(frozen=True)
class Job:
    """
    One computation, and the feature versions that it gives.

    Attributes:
        features: Computed and published together, in dependency order; all of one computation,
            with the same parameters, sources and version.
        dependencies: Feature versions of other jobs, whose values the computation reads.
    """

    features: Sequence[FeatureVersion]
    dependencies: Sequence[FeatureVersion]

    @property
    def name(self) -> str:
        """What logs, locks and metrics call it: `popularity_score==1.0.0`."""
        return self.features[0].job_name

    @property
    def leader(self) -> FeatureVersion:
        """One of the features, for what they have in common."""
        return self.features[0]


def jobs_of(features: Iterable[FeatureVersion]) -> list[Job]:
    """
    Return the jobs that compute feature versions, each after those that it depends on.

    Those that are retired, or computed on demand only, have none.

    Raises:
        DefinitionError: Dependencies are unknown or form a cycle.
    """
    ordered = in_dependency_order(features)
    by_reference = {feature.reference: feature for feature in ordered}
    members: dict[str, list[FeatureVersion]] = {}
    for feature in ordered:
        if feature.status in _COMPUTED and feature.computation_frequency is not None:
            members.setdefault(feature.job_name, []).append(feature)
    return [
        Job(
            features=tuple(together),
            dependencies=tuple(
                by_reference[reference]
                for reference in dict.fromkeys(r for f in together for r in f.dependencies)
                if by_reference[reference] not in together
            ),
        )
        for together in members.values()
    ]
