"""Feast's own client sends an API key as it sends a token."""

from collections.abc import Mapping

import httpx
import pytest
from feast import FeatureStore, RepoConfig
from feast.permissions.client.http_auth_requests_wrapper import HttpSessionManager

POPULARITY = "popularity_score_v1_0_0:popularity_score"


@pytest.mark.parametrize(("kind", "refusal"), [("read", None), ("revoked", "401")])
def test_feasts_client_identifies_itself(
    guarded_gateway: httpx.Client,
    keys: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    refusal: str | None,
) -> None:
    """With nothing but its configuration."""
    monkeypatch.setenv("FEATURE_GATEWAY_API_KEY", keys[kind])
    url = str(guarded_gateway.base_url).rstrip("/")
    store = FeatureStore(
        config=RepoConfig(
            project="feature_store",
            provider="local",
            registry={"registry_type": "sql", "path": "postgresql+psycopg://?plugin=feature_store"},
            online_store={"type": "remote", "path": url},
            auth={"type": "oidc", "token_env_var": "FEATURE_GATEWAY_API_KEY"},
            entity_key_serialization_version=3,
        )
    )
    asked = {"features": [POPULARITY], "entity_rows": [{"product_id": "nobody"}]}
    try:
        if refusal is None:
            found = store.get_online_features(**asked).to_dict()
            assert found == {"product_id": ["nobody"], "popularity_score": [None]}
        else:
            with pytest.raises(RuntimeError, match=refusal):
                store.get_online_features(**asked)
    finally:
        HttpSessionManager.close_session()
