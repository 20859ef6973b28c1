"""What is defined here, what is deployed, and who relies on it: what the plan compares."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from feature_repo.history.extensions import load_extensions
from feature_repo.registry.catalog import REPO_PATH, Catalog
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.inventory import Inventory
from feature_repo.registry.lifecycle import KEPT_AFTER_RETIREMENT, settled
from feature_repo.registry.metadata import ComputationFacts, FeatureVersion
from feature_repo.registry.plan import Plan, plan
from feature_repo.registry.plan_rules import Circumstances
from feature_repo.registry.rules_file import read_rules
from feature_repo.registry.serving_rules import reliance
from feature_repo.services import ServiceDefinition
from feature_repo.stores.feature_use import requests_since
from feature_repo.stores.stored_versions import stored_references
from foundation.postgres import connect
from foundation.settings import Settings

_CONFIGURATION = REPO_PATH / "feature_store.yaml"


@dataclass(frozen=True)
class Repository:
    """
    What the files define.

    Attributes:
        features: Feature versions, dependencies first.
        services: Feature services, without staged versions.
        computations: How each version is computed, by reference.
    """

    features: Sequence[FeatureVersion]
    services: Sequence[ServiceDefinition]
    computations: Mapping[str, ComputationFacts]

    @property
    def inventory(self) -> Inventory:
        """The same, to be compared."""
        return Inventory.of_definitions(self.features, self.services, self.computations)


def read_repository(catalog: Catalog, *, now: datetime) -> Repository:
    """
    Return what the files define.

    Args:
        catalog: What is deployed, which says since when what is retired is.
        now: Current instant.

    Raises:
        DefinitionError: A definition is wrong.
    """
    features = settled(gather_features(), catalog.features, now=now)
    return Repository(features, gather_services(features), computation_facts(features))


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


def current_plan(
    settings: Settings, repository: Repository, catalog: Catalog, *, now: datetime
) -> Plan:
    """
    Return what applying the files would change.

    Args:
        settings: Say where the stores and the serving rules are, and whether fingerprints count.
        repository: What the files define.
        catalog: What is deployed.
        now: Current instant.

    Raises:
        StoreUnavailable: PostgreSQL can't be reached.
        ConfigurationError: The serving rules can't be read.
    """
    requests: Mapping[str, int] = {}
    stored: Collection[str] = ()
    if catalog.features:  # before the first `apply` there may be no schema yet
        with connect(settings) as connection:
            requests = requests_since(connection, (now - KEPT_AFTER_RETIREMENT).date())
            stored = stored_references(connection)
    return plan(
        repository.inventory,
        Inventory.of_catalog(catalog),
        Circumstances(
            now=now,
            rules=rules_by_version(settings.serving_rules, repository.features, now=now),
            requests=requests,
            stored=stored,
            unreadable=catalog.unreadable,
            trusts_fingerprints=not settings.accept_computation_changes,
        ),
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
