"""
Reads features over HTTP; needs nothing of the feature store but its gateway's address.

    with FeatureStoreClient("https://features.example", api_key=key) as store:
        values = store.batch_get_features(["prod_123"], ["popularity_score"])

`AsyncFeatureStoreClient` has the same methods to await. A service that computes its features inline
moves to the store with `MigratingReader`, or `AsyncMigratingReader`.
"""

from serving_gateway.client.answers import BatchAnswer, Origin, ServiceAnswer
from serving_gateway.client.async_client import AsyncFeatureStoreClient
from serving_gateway.client.async_reader import AsyncInline, AsyncMigratingReader
from serving_gateway.client.calls import ClientSettings
from serving_gateway.client.errors import (
    ClientError,
    GatewayUnavailable,
    LimitExceeded,
    MalformedRequest,
    NotAllowed,
    NotAuthenticated,
    PartialAnswer,
    TimedOut,
    TooManyRequests,
    UnexpectedAnswer,
    UnknownName,
    VersionNotServed,
)
from serving_gateway.client.parity import Mode, ParityLedger
from serving_gateway.client.sync_client import FeatureStoreClient
from serving_gateway.client.sync_reader import Inline, MigratingReader

__all__ = [
    "AsyncFeatureStoreClient",
    "AsyncInline",
    "AsyncMigratingReader",
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
    "PartialAnswer",
    "ServiceAnswer",
    "TimedOut",
    "TooManyRequests",
    "UnexpectedAnswer",
    "UnknownName",
    "VersionNotServed",
]
