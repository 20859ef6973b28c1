"""What is defined here, what is deployed, and who names which version: what the plan compares."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import yaml

from feature_repo.history.extensions import load_extensions
from feature_repo.registry.catalog import REPO_PATH, read_catalog
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.metadata import ComputationFacts, FeatureVersion
from feature_repo.registry.plan import Definitions, Plan, plan
from feature_repo.registry.rules_file import read_rules
from feature_repo.registry.serving_rules import reliance
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
        rules=rules_by_version(settings.serving_rules, definitions.features, now=now) or {},
        now=now,
        trusts_fingerprints=not settings.accept_computation_changes,
    )


def rules_by_version(
    path: Path | None, features: Sequence[FeatureVersion], *, now: datetime
) -> Mapping[str, Sequence[str]] | None:
    """
    Return, by reference, which serving rules rely on a version; see `reliance`.

    Args:
        path: File of the serving rules; None where nobody said where it is: then nobody knows.
        features: Among which the rules choose, as they will be.
        now: Current instant.

    Raises:
        ConfigurationError: The file can't be read, or is not one of serving rules.
    """
    return None if path is None else reliance(read_rules(path), features, now=now)


def _fingerprints(facts: Mapping[str, ComputationFacts]) -> dict[str, str]:
    return {reference: each.fingerprint for reference, each in facts.items()}
