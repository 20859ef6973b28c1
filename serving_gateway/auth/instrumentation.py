"""What is measured of authentication."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from prometheus_client import CollectorRegistry, Counter, Gauge

from serving_gateway.auth.authenticator import Authenticator

_SECONDS_BETWEEN_RECORDS = 0.5


class AuthenticationInstruments:
    """
    Metrics of authentication.

    Args:
        registry: Of the gateway's metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._refusals = Counter(
            "feature_authentication_refusals_total",
            "Requests refused for their credential, or for how often they came.",
            ("reason",),
            registry=registry,
        )
        self._age = Gauge(
            "feature_api_keys_age_seconds",
            "Time since the API keys were read; revocations since then are not known.",
            registry=registry,
            multiprocess_mode="livemax",
        )

    def count_refusal(self, reason: str) -> None:
        """Count a refused request."""
        self._refusals.labels(reason).inc()

    @contextlib.asynccontextmanager
    async def recording(self, authenticator: Authenticator) -> AsyncIterator[None]:
        """Record how old the API keys are, until the block ends."""

        async def record() -> None:
            while True:
                self._age.set(authenticator.api_keys_age_seconds())
                await asyncio.sleep(_SECONDS_BETWEEN_RECORDS)

        task = asyncio.create_task(record())
        try:
            yield
        finally:
            task.cancel()
