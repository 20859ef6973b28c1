"""A registry that holds the project's definitions."""

import pytest
from feast import FeatureStore

from feature_repo.entities import ENTITIES
from feature_repo.registry.catalog import REPO_PATH
from feature_repo.registry.deployment import computation_facts
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.views import feature_service, feature_view
from foundation.settings import Settings


@pytest.fixture(scope="session")
def applied(servers: Settings) -> Settings:
    """Settings of stores whose registry holds our definitions."""
    features = gather_features()
    facts = computation_facts(features)
    views = [(feature, feature_view(feature, facts[feature.reference])) for feature in features]
    services = [feature_service(service, views) for service in gather_services(features)]
    store = FeatureStore(repo_path=str(REPO_PATH))
    store.apply([*ENTITIES, *(view for _, view in views), *services])
    return servers


@pytest.fixture
def feast_store(settings: Settings, applied: Settings) -> FeatureStore:
    """Return Feast's store over empty tables, knowing our definitions."""
    assert applied == settings
    return FeatureStore(repo_path=str(REPO_PATH))
