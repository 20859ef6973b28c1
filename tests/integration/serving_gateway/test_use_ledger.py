"""Which versions were served is kept in PostgreSQL."""

import pytest

from feature_repo.registry.gather import gather_features
from feature_repo.stores.feature_use import requests_since
from foundation import clock
from foundation.settings import Settings
from tests.integration.serving_gateway.conftest import SERVED, gateway_on, read_batch

FEATURES = {feature.reference: feature for feature in gather_features()}


@pytest.mark.usefixtures("valkey")
def test_requests_are_counted_by_version(applied: Settings, settings: Settings) -> None:
    """At the latest when the gateway stops."""
    with gateway_on(applied) as client:
        for _ in range(3):
            read_batch(client, entity_ids=["a", "b"], feature_names=["popularity_score"])
        read_batch(client, entity_ids=["a"], feature_names=["popularity_score"], version="1.0.0")
    today = clock.now().date()
    for version, requests in ((SERVED["popularity_score"], 3), ("1.0.0", 1), ("2.0.0", 0)):
        feature = FEATURES[f"popularity_score=={version}"]
        assert requests_since(settings, feature, since=today) == requests
