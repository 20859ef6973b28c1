"""
Reads features over HTTP; needs nothing of the feature store but its gateway's address.

    with FeatureStoreClient("https://features.example", api_key=key) as store:
        values = store.batch_get_features(["prod_123"], ["popularity_score"])

`AsyncFeatureStoreClient` has the same methods to await.
"""

from serving_gateway.client.answers import BatchAnswer, Origin, ServiceAnswer
from serving_gateway.client.async_client import AsyncFeatureStoreClient
from serving_gateway.client.calls import ClientSettings
from serving_gateway.client.errors import (
    ClientError,
    GatewayUnavailable,
    LimitExceeded,
    MalformedRequest,
    NotAllowed,
    NotAuthenticated,
    TimedOut,
    TooManyRequests,
    UnexpectedAnswer,
    UnknownName,
    VersionNotServed,
)
from serving_gateway.client.migration import Inline, MigratingReader
from serving_gateway.client.parity import Mode, ParityLedger
from serving_gateway.client.sync_client import FeatureStoreClient

__all__ = [
    "AsyncFeatureStoreClient",
    "BatchAnswer",
    "ClientError",
    "ClientSettings",
    "FeatureStoreClient",
    "GatewayUnavailable",
    "Inline",
    "LimitExceeded",
    "MalformedRequest",
    "MigratingReader",
    "Mode",
    "NotAllowed",
    "NotAuthenticated",
    "Origin",
    "ParityLedger",
    "ServiceAnswer",
    "TimedOut",
    "TooManyRequests",
    "UnexpectedAnswer",
    "UnknownName",
    "VersionNotServed",
]
