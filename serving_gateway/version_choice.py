"""Resolve, once a request, which version of each feature is served."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.registry.serving_rules import Assignment, Choice
from foundation import clock
from foundation.errors import UnknownVersion, VersionNotServed
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.log_digest import LogDigest
from serving_gateway.rules_cache import RulesCache

_NONE: Mapping[str, str] = MappingProxyType({})


class Wish(NamedTuple):
    """
    What a request says of versions.

    Attributes:
        version: Of all features; None: nothing is said.
        versions: By feature name; goes before `version`.
        user_id: Whose experiments apply; None: nobody's.
    """

    version: str | None = None
    versions: Mapping[str, str] = _NONE
    user_id: str | None = None


class Exposure(NamedTuple):
    """
    An experiment that decided what is served.

    Attributes:
        assignment: The user's place in it.
        features: The versions that are served because of it.
    """

    assignment: Assignment
    features: Sequence[FeatureVersion]


class Resolved(NamedTuple):
    """
    What is served.

    Attributes:
        features: One version a feature, in the order of the request.
        exposures: The experiments that decided on any of them.
    """

    features: Sequence[FeatureVersion]
    exposures: Sequence[Exposure]

    @property
    def variants(self) -> Mapping[str, str]:
        """The user's variant of each experiment that decided."""
        if not self.exposures:
            return {}
        return {e.assignment.experiment: e.assignment.variant for e in self.exposures}


class VersionChoice:
    """
    Chooses by the request, then experiments, pinned versions, the feature service, what is newest.

    Args:
        catalog: Says which versions exist.
        rules: Say what is pinned and tried.
        digest: Logs rules that can't be followed.
    """

    def __init__(self, catalog: CatalogCache, rules: RulesCache, digest: LogDigest) -> None:
        self._catalog = catalog
        self._rules = rules
        self._digest = digest

    def resolve(
        self,
        feature_names: Iterable[str],
        wish: Wish,
        *,
        declared: Mapping[str, str] = _NONE,
    ) -> Resolved:
        """
        Return the versions that a request is served.

        Args:
            feature_names: Whose versions.
            wish: What the request says of them.
            declared: What the feature service says of them, by feature name.

        Raises:
            UnknownFeature: A feature is not deployed.
            UnknownVersion: A feature has no version that the request asks for.
            VersionNotServed: It has, but it is retired, or staged and not asked for exactly.
        """
        catalog = self._catalog.current
        choice = self._rules.current.choose(wish.user_id, now=clock.now())
        features = []
        decided: dict[str, tuple[Assignment, list[FeatureVersion]]] = {}
        for name in feature_names:
            wanted = wish.versions.get(name, wish.version)
            if wanted is not None:
                features.append(catalog.select(name, wanted))
                continue
            feature, assignment = self._by_rules(catalog, name, choice, declared.get(name))
            features.append(feature)
            if assignment is not None:
                decided.setdefault(assignment.experiment, (assignment, []))[1].append(feature)
        return Resolved(features, [Exposure(*each) for each in decided.values()])

    def _by_rules(
        self, catalog: Catalog, name: str, choice: Choice, declared: str | None
    ) -> tuple[FeatureVersion, Assignment | None]:
        """Return the version for who asks for none, and the experiment that decided, if one did."""
        assignment = choice.assignments.get(name)
        if assignment is not None and name in assignment.versions:
            feature = self._followed(catalog, name, assignment.versions[name])
            if feature is not None:
                return feature, assignment
            assignment = None
        if name in choice.pinned:
            feature = self._followed(catalog, name, choice.pinned[name])
            if feature is not None:
                return feature, assignment
        return catalog.select(name, declared), assignment

    def _followed(self, catalog: Catalog, name: str, selector: str) -> FeatureVersion | None:
        """Return what a rule says; None if nothing fits it: nobody is refused because of a rule."""
        try:
            return catalog.select(name, selector)
        except (UnknownVersion, VersionNotServed) as error:
            self._digest.add("serving_rule_not_followed", feature=name, error=error.message)
            return None
