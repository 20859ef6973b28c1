"""What is measured of authentication."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from serving_gateway.auth.authenticator import Authenticator


class AuthenticationInstruments:
    """
    Metrics of authentication.

    Args:
        registry: Of the gateway's metrics.
        authenticator: Tells how old the API keys are, whenever the metrics are asked for.
    """

    def __init__(self, registry: CollectorRegistry, authenticator: Authenticator) -> None:
        self._refusals = Counter(
            "feature_authentication_refusals_total",
            "Requests refused for their credential, or for how often they came.",
            ("reason",),
            registry=registry,
        )
        age = Gauge(
            "feature_api_keys_age_seconds",
            "Time since the API keys were read; revocations since then are not known.",
            registry=registry,
        )
        age.set_function(authenticator.api_keys_age_seconds)

    def count_refusal(self, reason: str) -> None:
        """Count a refused request."""
        self._refusals.labels(reason).inc()
