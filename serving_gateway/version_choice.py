"""Resolve, once a request, which version of each feature is served."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import structlog

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.errors import UnknownVersion, VersionNotServed
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.instrumentation import Instruments
from serving_gateway.rules_cache import RulesCache

_log = structlog.get_logger()

_NONE_DECLARED: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Wish:
    """
    What a request says of versions.

    Attributes:
        version: Of all features; None: nothing is said.
        versions: By feature name; goes before `version`.
        user_id: Whose experiments apply; None: nobody's.
    """

    version: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    user_id: str | None = None


@dataclass(frozen=True)
class Resolved:
    """
    What is served.

    Attributes:
        features: One version a feature, in the order of the request.
        variants: The user's variant of each running experiment.
    """

    features: Sequence[FeatureVersion]
    variants: Mapping[str, str]


class VersionChoice:
    """
    Chooses by the request, then experiments, pinned versions, the feature service, what is newest.

    Args:
        catalog: Says which versions exist.
        rules: Say what is pinned and tried.
        instruments: Count who was exposed to which variant.
    """

    def __init__(self, catalog: CatalogCache, rules: RulesCache, instruments: Instruments) -> None:
        self._catalog = catalog
        self._rules = rules
        self._instruments = instruments

    def resolve(
        self,
        feature_names: Iterable[str],
        wish: Wish,
        *,
        declared: Mapping[str, str] = _NONE_DECLARED,
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
        for name in feature_names:
            wanted = wish.versions.get(name, wish.version)
            if wanted is None and name in choice.versions:
                features.append(self._by_rule(catalog, name, choice.versions[name]))
            else:
                features.append(catalog.select(name, wanted or declared.get(name)))
        for experiment, variant in choice.variants.items():
            self._instruments.count_exposure(experiment, variant)
            _log.debug("experiment_exposure", experiment=experiment, variant=variant)
        return Resolved(features, choice.variants)

    @staticmethod
    def _by_rule(catalog: Catalog, name: str, selector: str) -> FeatureVersion:
        try:
            return catalog.select(name, selector)
        except (UnknownVersion, VersionNotServed) as error:
            # Who asked for no version is not refused because of a rule that has become outdated.
            _log.warning("serving_rule_not_followed", feature_name=name, error=error.message)
            return catalog.select(name)
