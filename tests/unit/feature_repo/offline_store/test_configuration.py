"""Where Feast's offline store is, from the settings and from feature_store.yaml."""

from typing import Any

import pytest

from feature_repo.offline_store.store import PointInTimeOfflineStoreConfig
from foundation.errors import ConfigurationError

STORE = {
    "type": "feature_repo.offline_store.store.PointInTimeOfflineStore",
    "older_values": "transformations.archives.reading.ArchivedValues",
    "computations": "transformations.on_demand.history.PastComputations",
}


@pytest.fixture
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the settings name a PostgreSQL."""
    monkeypatch.setenv("FEATURE_STORE_REDIS_URL", "redis://localhost")
    monkeypatch.setenv("FEATURE_STORE_POSTGRES_URL", request.param)
    return str(request.param)


@pytest.mark.parametrize("url", ["postgresql://me:a%40b@db:6543/values"], indirect=True)
def test_the_settings_say_where_it_is(url: str) -> None:
    """What feature_store.yaml says goes before them."""
    assert url
    config = PointInTimeOfflineStoreConfig(**STORE)
    assert (config.host, config.port, config.database) == ("db", 6543, "values")
    assert (config.user, config.password) == ("me", "a@b")
    assert PointInTimeOfflineStoreConfig(**STORE, port=1).port == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://a,b/values",
        "postgresql://a:1,b:2/values",
        "postgresql:///values?host=a,b&port=1",
        "postgresql:///values?host=a&port=,5432,",
    ],
    indirect=True,
)
def test_one_of_several_hosts_has_to_be_named(url: str) -> None:
    """Feast connects to one; guessing might miss the one that takes writes."""
    assert url
    with pytest.raises(ConfigurationError, match="FEATURE_STORE_POSTGRES_URL: more than one"):
        PointInTimeOfflineStoreConfig(**STORE)
    named: dict[str, Any] = {**STORE, "host": "a", "port": 1}
    assert PointInTimeOfflineStoreConfig(**named).host == "a"
