"""All that is defined, or deployed, and who uses which version of it; pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import ComputationFacts, FeatureVersion, Status
from feature_repo.services import ServiceDefinition


@dataclass(frozen=True)
class Inventory:
    """
    All that is defined, or deployed.

    Attributes:
        features: Feature versions.
        services: References by feature service name.
        service_owners: Owners by feature service name.
        fingerprints: Of the computations, by reference.
    """

    features: Sequence[FeatureVersion]
    services: Mapping[str, Sequence[str]]
    service_owners: Mapping[str, str] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_definitions(
        cls,
        features: Sequence[FeatureVersion],
        services: Iterable[ServiceDefinition],
        computations: Mapping[str, ComputationFacts] = MappingProxyType({}),
    ) -> Self:
        """Return what files define."""
        services = list(services)
        return cls(
            features,
            {service.name: service.features for service in services},
            {service.name: service.owner for service in services},
            _fingerprints(computations),
        )

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Self:
        """Return what is deployed."""
        fingerprints = _fingerprints(catalog.computations)
        return cls(catalog.features, catalog.services, catalog.service_owners, fingerprints)

    def by_reference(self) -> dict[str, FeatureVersion]:
        """Return the feature versions by reference."""
        return {feature.reference: feature for feature in self.features}

    def versions(self, feature_name: str) -> list[FeatureVersion]:
        """Return the versions of a feature, oldest first; none if there is no such feature."""
        found = [feature for feature in self.features if feature.feature_name == feature_name]
        return sorted(found, key=lambda feature: feature.parsed_version)


@dataclass(frozen=True)
class Consumer:
    """
    Who uses a feature version.

    Attributes:
        what: In words: `feature service search_v1`.
        owner: Whose it is; None: of a serving rule nobody says.
        is_direct: Whether it names the version, or only something that is made from it.
    """

    what: str
    owner: str | None = None
    is_direct: bool = True

    def __str__(self) -> str:
        owner = f" ({self.owner})" if self.owner else ""
        return f"{'' if self.is_direct else 'indirectly '}{self.what}{owner}"


def consumers_of(
    reference: str, inventory: Inventory, rules: Mapping[str, Sequence[str]]
) -> list[Consumer]:
    """
    Return who uses a feature version, those first that name it.

    Args:
        reference: The version.
        inventory: Retired versions use nothing any more.
        rules: By reference, the serving rules that rely on it.
    """
    found: dict[str, Consumer] = {}
    front, is_direct = [reference], True
    while front:
        reached: list[str] = []
        for each in front:
            users = [f for f in inventory.features if each in f.dependencies and _uses(f)]
            for what, owner in _named(each, users, inventory, rules):
                found.setdefault(what, Consumer(what, owner, is_direct))
            reached += [feature.reference for feature in users]
        front, is_direct = list(dict.fromkeys(reached)), False
    return list(found.values())


def _fingerprints(computations: Mapping[str, ComputationFacts]) -> dict[str, str]:
    return {reference: facts.fingerprint for reference, facts in computations.items()}


def _uses(feature: FeatureVersion) -> bool:
    return feature.status is not Status.RETIRED


def _named(
    reference: str,
    users: Sequence[FeatureVersion],
    inventory: Inventory,
    rules: Mapping[str, Sequence[str]],
) -> Iterator[tuple[str, str | None]]:
    """Yield what names a version, and its owner."""
    for feature in users:
        yield f"feature {feature.reference}", feature.owner
    for name, members in inventory.services.items():
        if reference in members:
            yield f"feature service {name}", inventory.service_owners.get(name)
    for feature in inventory.features:
        if feature.status is Status.DEPRECATED and feature.replaced_by == reference:
            yield f"deprecated {feature.reference}, which it replaces", feature.owner
    for rule in rules.get(reference, ()):
        yield rule, None
