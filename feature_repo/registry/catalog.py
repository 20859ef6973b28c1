"""The deployed features and feature services, as read from Feast's registry."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from feature_repo.registry.metadata import ComputationFacts, FeatureVersion
from feature_repo.registry.versions import select_version
from foundation.errors import DefinitionError, StoreUnavailable, UnknownFeature, UnknownService

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

_log = structlog.get_logger()

_KEPT_SELECTIONS = 4_096
REPO_PATH = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Catalog:
    """
    Every deployed feature version and feature service.

    Attributes:
        features: All versions, by feature name and ascending version.
        services: References (`name==1.0.0`) by feature service name.
        computations: What is known of how each was computed when it was applied, by reference.
        service_owners: Owners by feature service name.
        unreadable: By view name, why a feature version is not among the features: the registry has
            it, but not as this release writes one; or one that it is made from.
    """

    features: Sequence[FeatureVersion]
    services: Mapping[str, Sequence[str]]
    computations: Mapping[str, ComputationFacts] = field(default_factory=dict)
    service_owners: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    _by_name: Mapping[str, Mapping[str, FeatureVersion]] = field(
        init=False, repr=False, compare=False
    )
    _select: Callable[[str, str | None], FeatureVersion] = field(
        init=False, repr=False, compare=False
    )
    _by_view: Mapping[str, FeatureVersion] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name: dict[str, dict[str, FeatureVersion]] = {}
        for feature in _ordered(self.features):
            by_name.setdefault(feature.feature_name, {})[feature.version] = feature
        object.__setattr__(self, "_by_name", by_name)
        # The same few are asked for over and over; what callers make up must not pile up.
        object.__setattr__(self, "_select", lru_cache(_KEPT_SELECTIONS)(self._newest_fitting))
        object.__setattr__(self, "_by_view", {f.view_name: f for f in self.features})

    def versions(self, feature_name: str) -> Sequence[FeatureVersion]:
        """
        Return the versions of a feature, oldest first.

        Raises:
            UnknownFeature: No such feature is deployed.
        """
        if feature_name not in self._by_name:
            known = ", ".join(self._by_name) or "none yet: run `make apply`"
            raise UnknownFeature(
                f"feature {feature_name!r} does not exist", hint=f"Deployed features: {known}."
            )
        return list(self._by_name[feature_name].values())

    def select(self, feature_name: str, wanted: str | None = None) -> FeatureVersion:
        """
        Return the version to serve; see `select_version`.

        Raises:
            UnknownFeature: No such feature is deployed.
            UnknownVersion: The feature has no such version; the hint lists what exists.
            VersionNotServed: It has, but it is retired or staged.
        """
        return self._select(feature_name, wanted)

    def _newest_fitting(self, feature_name: str, wanted: str | None) -> FeatureVersion:
        return select_version(self.versions(feature_name), wanted)

    def select_view(self, view_name: str) -> FeatureVersion:
        """
        Return the version that a feature view of Feast holds.

        Raises:
            UnknownFeature: No such view is deployed.
            VersionNotServed: The version is retired.
        """
        if view_name not in self._by_view:
            known = ", ".join(self._by_view) or "none yet: run `make apply`"
            raise UnknownFeature(
                f"Feature view {view_name} does not exist", hint=f"Deployed feature views: {known}."
            )
        feature = self._by_view[view_name]
        return self.select(feature.feature_name, feature.version)

    @cached_property
    def join_keys(self) -> Mapping[str, str]:
        """Join keys by what callers may call them: themselves, or the name of their entity."""
        names = {f.entity: f.join_keys[0] for f in self.features if len(f.join_keys) == 1}
        return names | {join_key: join_key for f in self.features for join_key in f.join_keys}

    def service(self, service_name: str) -> dict[str, str]:
        """
        Return the versions of a feature service, by feature name.

        Raises:
            UnknownService: No such feature service is deployed.
        """
        if service_name not in self.services:
            known = ", ".join(sorted(self.services)) or "none yet: run `make apply`"
            raise UnknownService(
                f"feature service {service_name!r} does not exist",
                hint=f"Deployed feature services: {known}.",
            )
        return dict(reference.split("==") for reference in self.services[service_name])

    def completed_from(self, before: "Catalog") -> "Catalog":
        """Return this catalog with what it could not read as it was before."""
        kept = [f for f in before.features if f.view_name in self.unreadable]
        if not kept:
            return self
        references = {feature.reference for feature in kept}
        services = {
            name: [*members, *(r for r in before.services.get(name, ()) if r in references)]
            for name, members in self.services.items()
        }
        return replace(self, features=_ordered([*self.features, *kept]), services=services)


def read_catalog() -> Catalog:
    """
    Read the catalog from Feast's registry; what can't be read is logged and left out.

    Raises:
        StoreUnavailable: The registry's database can't be reached.
    """
    with registry_errors():
        return catalog_of(open_registry())


@contextlib.contextmanager
def registry_errors() -> Iterator[None]:
    """
    Let the registry's errors leave as ours.

    Raises:
        StoreUnavailable: Its database can't be reached, or lacks its tables.
    """
    # They come with Feast.
    from sqlalchemy.exc import OperationalError, ProgrammingError  # noqa: PLC0415

    try:
        yield
    except OperationalError as error:
        raise StoreUnavailable(
            f"the registry: {error.orig}", hint="Is PostgreSQL running? `make up` starts it."
        ) from error
    except ProgrammingError as error:  # a table that Feast has made once is gone
        raise StoreUnavailable(
            f"the registry: {error.orig}", hint="`make apply` deploys the definitions anew."
        ) from error


def open_registry() -> "FeatureStore":
    """Return Feast's view of the deployed registry."""
    from feast import FeatureStore  # noqa: PLC0415 - takes seconds, and the catalog alone needs none

    return FeatureStore(repo_path=str(REPO_PATH))


def catalog_of(store: "FeatureStore") -> Catalog:
    """Return what Feast's registry holds; what can't be read is logged and left out."""
    views = store.list_feature_views()
    services = store.list_feature_services()
    by_view, computations, unreadable = _read_views(views)
    for name, problem in unreadable.items():
        _log.error("feature_view_not_read", view=name, problem=problem)
    return Catalog(
        features=_ordered(by_view.values()),
        services={
            service.name: [
                by_view[projection.name].reference
                for projection in service.feature_view_projections
                if projection.name in by_view
            ]
            for service in services
        },
        computations=computations,
        service_owners={service.name: service.owner for service in services},
        unreadable=unreadable,
    )


def _read_views(
    views: "Iterable[FeatureView]",
) -> tuple[dict[str, FeatureVersion], dict[str, ComputationFacts], dict[str, str]]:
    """Return versions by view name, their computations by reference, problems by view name."""
    from feature_repo.registry.views import (  # noqa: PLC0415 - imports Feast
        computation_facts,
        feature_version,
    )

    by_view, computations, unreadable = {}, {}, {}
    for view in views:
        try:
            feature, facts = feature_version(view), computation_facts(view)
        except DefinitionError as error:
            unreadable[view.name] = error.message
        else:
            by_view[view.name], computations[feature.reference] = feature, facts
    while lacking := _lacking(by_view.values()):
        for feature, dependency in lacking:
            unreadable[feature.view_name] = f"it is made from {dependency}, which can't be read"
            del by_view[feature.view_name], computations[feature.reference]
    return by_view, computations, unreadable


def _lacking(features: Iterable[FeatureVersion]) -> list[tuple[FeatureVersion, str]]:
    """Return what is made from a version that is not there, with that."""
    known = {feature.reference: feature for feature in features}
    lacking = ((f, d) for f in known.values() for d in f.dependencies if d not in known)
    return list({feature.reference: (feature, d) for feature, d in lacking}.values())


def _ordered(features: Iterable[FeatureVersion]) -> list[FeatureVersion]:
    return sorted(features, key=lambda f: (f.feature_name, f.parsed_version))
