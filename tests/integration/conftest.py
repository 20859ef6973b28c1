"""A registry that holds the project's definitions, and a Redis Cluster."""

from collections.abc import Iterator

import pytest
import redis
from feast import FeatureStore

from feature_repo.entities import ENTITIES
from feature_repo.registry.catalog import REPO_PATH
from feature_repo.registry.deployment import computation_facts
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.views import feature_service, feature_view
from foundation.settings import Settings
from tests.integration.clusters import HOST, running_cluster


@pytest.fixture(scope="session")
def applied(servers: Settings) -> Settings:
    """Settings of stores whose registry holds our definitions."""
    apply_definitions()
    return servers


def apply_definitions() -> None:
    """Deploy our definitions to the registry that the environment names."""
    features = gather_features()
    facts = computation_facts(features)
    views = [(feature, feature_view(feature, facts[feature.reference])) for feature in features]
    services = [feature_service(service, views) for service in gather_services(features)]
    store = FeatureStore(repo_path=str(REPO_PATH))
    store.apply([*ENTITIES, *(view for _, view in views), *services])


@pytest.fixture
def feast_store(settings: Settings, applied: Settings) -> FeatureStore:
    """Return Feast's store over empty tables, knowing our definitions."""
    assert applied == settings
    return FeatureStore(repo_path=str(REPO_PATH))


@pytest.fixture(scope="session")
def cluster_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Yield the port of one node of a cluster that the whole session shares."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes[0].port


@pytest.fixture
def cluster(cluster_port: int) -> Iterator[redis.RedisCluster]:
    """Yield a client of an empty cluster."""
    client = redis.RedisCluster(host=HOST, port=cluster_port)
    client.flushall(target_nodes=redis.RedisCluster.PRIMARIES)
    yield client
    client.close()
