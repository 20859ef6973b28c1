"""Resolve, once a request, which version of each feature is served."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
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
from serving_gateway.selection import Exposure, Selection

_NONE: Mapping[str, str] = MappingProxyType({})
# Callers ask for the same few over and over; what they make up must not pile up.
_KEPT_SELECTIONS = 1_024

_Items = tuple[tuple[str, str], ...]


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


class _Asked(NamedTuple):
    """
    What decides for those who are in no experiment.

    Attributes:
        names: Of features, each once.
        version: What the request says of all of them.
        versions: What it says of some of them.
        declared: What the feature service says of them.
    """

    names: tuple[str, ...]
    version: str | None
    versions: _Items
    declared: _Items


class _Memory(NamedTuple):
    """
    What is served to those who are in no experiment, once it has been found out.

    Attributes:
        catalog: By what catalog.
        choice: By what rules.
        select: Finds it out, or remembers it.
    """

    catalog: Catalog
    choice: Choice
    select: Callable[[_Asked], Selection]


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
        self._memory: _Memory | None = None

    def resolve(
        self,
        feature_names: Iterable[str],
        wish: Wish,
        *,
        declared: Mapping[str, str] = _NONE,
    ) -> Selection:
        """
        Return the versions that a request is served.

        Args:
            feature_names: Whose versions; repeated ones count once.
            wish: What the request says of them.
            declared: What the feature service says of them, by feature name.

        Raises:
            UnknownFeature: A feature is not deployed.
            UnknownVersion: A feature has no version that the request asks for.
            VersionNotServed: It has, but it is retired, or staged and not asked for exactly.
        """
        catalog = self._catalog.current
        choice = self._rules.current.choose(wish.user_id, now=clock.now())
        names = tuple(dict.fromkeys(feature_names))
        asked = _Asked(names, wish.version, _of(wish.versions, names), _of(declared, names))
        if choice.assignments:
            selection = _select(catalog, choice, asked)
        else:
            selection = self._remembered(catalog, choice)(asked)
        for feature_name, reason in selection.not_followed:
            self._digest.add("serving_rule_not_followed", feature=feature_name, error=reason)
        return selection

    def _remembered(self, catalog: Catalog, choice: Choice) -> Callable[[_Asked], Selection]:
        memory = self._memory
        if memory is None or memory.catalog is not catalog or memory.choice is not choice:
            select = lru_cache(_KEPT_SELECTIONS)(partial(_select, catalog, choice))
            memory = self._memory = _Memory(catalog, choice, select)
        return memory.select


def _of(versions: Mapping[str, str], names: Sequence[str]) -> _Items:
    """Return what is said of some features, whatever else is."""
    return tuple((name, versions[name]) for name in names if name in versions) if versions else ()


def _select(catalog: Catalog, choice: Choice, asked: _Asked) -> Selection:
    features = []
    decided: dict[str, tuple[Assignment, list[FeatureVersion]]] = {}
    not_followed: list[tuple[str, str]] = []
    versions, declared = dict(asked.versions), dict(asked.declared)
    for name in asked.names:
        wanted = versions.get(name, asked.version)
        if wanted is not None:
            features.append(catalog.select(name, wanted))
            continue
        feature, assignment = _by_rules(catalog, name, choice, declared.get(name), not_followed)
        features.append(feature)
        if assignment is not None:
            decided.setdefault(assignment.experiment, (assignment, []))[1].append(feature)
    exposures = [Exposure(*each) for each in decided.values()]
    return Selection(features, exposures, not_followed)


def _by_rules(
    catalog: Catalog,
    name: str,
    choice: Choice,
    declared: str | None,
    not_followed: list[tuple[str, str]],
) -> tuple[FeatureVersion, Assignment | None]:
    """Return the version for who asks for none, and the experiment that decided, if one did."""
    assignment = choice.assignments.get(name)
    if assignment is not None and name in assignment.versions:
        feature = _followed(catalog, name, assignment.versions[name], not_followed)
        if feature is not None:
            return feature, assignment
        assignment = None
    if name in choice.pinned:
        feature = _followed(catalog, name, choice.pinned[name], not_followed)
        if feature is not None:
            return feature, assignment
    return catalog.select(name, declared), assignment


def _followed(
    catalog: Catalog, name: str, selector: str, not_followed: list[tuple[str, str]]
) -> FeatureVersion | None:
    """Return what a rule says; None if nothing fits it: nobody is refused because of a rule."""
    try:
        return catalog.select(name, selector)
    except (UnknownVersion, VersionNotServed) as error:
        not_followed.append((name, error.message))
        return None
