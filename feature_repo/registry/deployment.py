"""What is defined here, what is deployed, and who names which version: what the plan compares."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from feature_repo.history.extensions import load_extensions
from feature_repo.registry.catalog import REPO_PATH, read_catalog
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.metadata import ComputationFacts, FeatureVersion
from feature_repo.registry.plan import Definitions, Plan, plan
from foundation.errors import ConfigurationError
from foundation.settings import Settings

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
            computations.fingerprint(feature, features), computations.columns(feature, features)
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


def current_plan(settings: Settings) -> Plan:
    """
    Return what applying the files would change.

    Raises:
        DefinitionError: A definition is wrong.
        StoreUnavailable: The registry can't be reached.
        ConfigurationError: The serving rules can't be read.
    """
    return plan(
        defined(),
        deployed(),
        rules=rules_by_version(settings.serving_rules),
        trusts_fingerprints=not settings.accept_computation_changes,
    )


def rules_by_version(path: Path | None) -> dict[str, list[str]]:
    """
    Return, by reference, which serving rules name exactly that version.

    Raises:
        ConfigurationError: The file can't be read.
    """
    if path is None:
        return {}
    try:
        rules = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    found: dict[str, list[str]] = {}

    def note(named: Mapping[str, str], rule: str) -> None:
        for feature_name, version in named.items():
            found.setdefault(f"{feature_name}=={version}", []).append(rule)

    note(rules.get("versions", {}), "a pinned version")
    for experiment in rules.get("experiments", ()):
        for variant in experiment["variants"]:
            note(variant.get("versions", {}), f"experiment {experiment['name']}")
    for shadow in rules.get("shadows", ()):
        note(_pair(shadow), "a shadow")
    return found


def _fingerprints(facts: Mapping[str, ComputationFacts]) -> dict[str, str]:
    return {reference: each.fingerprint for reference, each in facts.items()}


def _pair(shadow: Mapping[str, Any]) -> dict[str, str]:
    return {shadow["feature_name"]: shadow["version"]}
