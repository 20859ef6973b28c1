"""What is defined here, what is deployed, and who names which version: what the plan compares."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from feature_repo.history.extensions import load_extensions
from feature_repo.registry.catalog import REPO_PATH, read_catalog
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.metadata import ComputationFacts, FeatureVersion
from feature_repo.registry.plan import Definitions, Plan, plan
from feature_repo.registry.versions import fitting_versions, select_version
from foundation.errors import ConfigurationError, ContractViolation, VersionNotServed
from foundation.settings import Settings

_RULES_HINT = "docs/serving-rules.md shows what it may hold."
_CONFIGURATION = REPO_PATH / "feature_store.yaml"


def computation_facts(features: Sequence[FeatureVersion]) -> dict[str, ComputationFacts]:
    """
    Find out how each feature version is computed, by reference.

    Raises:
        ConfigurationError: feature_store.yaml names computations that can't be imported.
        DefinitionError: A version names a computation that does not exist.
    """
    store = yaml.safe_load(_CONFIGURATION.read_text(encoding="utf-8"))["offline_store"]
    computations = load_extensions(
        older_values=store["older_values"], computations=store["computations"]
    ).computations
    return {
        feature.reference: ComputationFacts(
            computations.fingerprint(feature, features),
            computations.columns(feature, features),
            computations.tables(feature),
        )
        for feature in features
    }


def defined() -> Definitions:
    """
    Return what the files define.

    Raises:
        DefinitionError: A definition is wrong.
    """
    features = gather_features()
    services = {service.name: service.features for service in gather_services(features)}
    return Definitions(features, services, _fingerprints(computation_facts(features)))


def deployed() -> Definitions:
    """
    Return what the registry holds.

    Raises:
        StoreUnavailable: It can't be reached.
    """
    catalog = read_catalog()
    return Definitions(catalog.features, catalog.services, _fingerprints(catalog.computations))


def current_plan(settings: Settings, *, now: datetime) -> Plan:
    """
    Return what applying the files would change.

    Args:
        settings: Say where the serving rules are, and whether fingerprints count.
        now: Current instant.

    Raises:
        DefinitionError: A definition is wrong.
        StoreUnavailable: The registry can't be reached.
        ConfigurationError: The serving rules can't be read.
    """
    definitions = defined()
    return plan(
        definitions,
        deployed(),
        rules=rules_by_version(settings.serving_rules, definitions.features),
        now=now,
        trusts_fingerprints=not settings.accept_computation_changes,
    )


def rules_by_version(path: Path | None, features: Sequence[FeatureVersion]) -> dict[str, list[str]]:
    """
    Return, by reference, which serving rules rely on a version.

    That is the version that a rule names or selects; and where it selects none that is served,
    every version that it would have.

    Args:
        path: File of the serving rules; None for no rules.
        features: Among which the rules choose, as they will be.

    Raises:
        ConfigurationError: The file can't be read, or is not one of serving rules.
    """
    if path is None:
        return {}
    try:
        rules = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        said = list(_said(rules))
        by_name: dict[str, list[FeatureVersion]] = {}
        for feature in features:
            by_name.setdefault(feature.feature_name, []).append(feature)
        found: dict[str, list[str]] = {}
        for feature_name, selector, rule in said:
            for version in _relied_on(by_name.get(feature_name, []), selector):
                found.setdefault(f"{feature_name}=={version}", []).append(rule)
    except (OSError, yaml.YAMLError, ContractViolation) as error:
        raise ConfigurationError(f"{path}: {error}", hint=_RULES_HINT) from error
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: no serving rules: {error!r}", hint=_RULES_HINT
        ) from error
    return found


def _said(rules: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield feature name, selector and rule, for all that rules say."""
    for feature_name, selector in rules.get("versions", {}).items():
        yield feature_name, selector, "a pinned version"
    for experiment in rules.get("experiments", ()):
        for variant in experiment["variants"]:
            for feature_name, selector in variant.get("versions", {}).items():
                yield feature_name, selector, f"experiment {experiment['name']}"
    for shadow in rules.get("shadows", ()):
        yield shadow["feature_name"], shadow["version"], "a shadow"


def _relied_on(versions: Sequence[FeatureVersion], selector: str) -> set[str]:
    fitting = fitting_versions(versions, selector)
    try:
        return {select_version(versions, selector).version} if fitting else {selector}
    except VersionNotServed:
        return {feature.version for feature in fitting}


def _fingerprints(facts: Mapping[str, ComputationFacts]) -> dict[str, str]:
    return {reference: each.fingerprint for reference, each in facts.items()}
