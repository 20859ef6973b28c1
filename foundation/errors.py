"""The one error hierarchy: what went wrong, where, and what to do about it."""


class FeatureStoreError(Exception):
    """
    Base of every error this project raises on purpose.

    Args:
        message: What is wrong and where, in one sentence.
        hint: What the reader can do about it; empty when the message says it all.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ConfigurationError(FeatureStoreError):
    """A setting is missing or wrong."""


class DefinitionError(FeatureStoreError):
    """A feature, entity or feature service is defined wrongly."""


class ContractViolation(FeatureStoreError):
    """Input does not have the shape that was promised."""


class QualityGateFailed(FeatureStoreError):
    """Input or output of a computation failed its expectations; nothing was published."""


class JobAlreadyRunning(FeatureStoreError):
    """Another process holds the lock of this job."""


class StoreUnavailable(FeatureStoreError):
    """PostgreSQL or Redis can't be reached, or did not answer in time."""


class StoredButNotOnline(StoreUnavailable):
    """A run's values are in PostgreSQL, and not all of them in Redis."""


class EmbeddingUnavailable(StoreUnavailable):
    """The embedding process died, or did not answer in time."""


class UnknownFeature(FeatureStoreError):
    """No feature of that name is registered."""


class UnknownService(FeatureStoreError):
    """No feature service of that name is registered."""


class UnknownNode(FeatureStoreError):
    """The lineage has no such table, column, feature or feature service."""


class UnknownVersion(FeatureStoreError):
    """The feature exists, but not in the version asked for."""


class VersionNotServed(FeatureStoreError):
    """The feature has the version asked for, but it is not to be served."""


class LimitExceeded(FeatureStoreError):
    """A request asks for more than the configured limit."""


class UnknownKey(FeatureStoreError):
    """No API key has that id."""


class Refused(FeatureStoreError):
    """
    A caller of the gateway may not have what was asked for.

    Args:
        message: What is wrong, without the credential.
        reason: The same in one constant word, for metrics.
        hint: What the caller can do about it.
        retry_after_seconds: When asking again may help; 0 if it won't.
    """

    def __init__(
        self, message: str, *, reason: str, hint: str = "", retry_after_seconds: float = 0.0
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class NotAuthenticated(Refused):
    """The credential is missing, wrong, expired or revoked."""


class NotAllowed(Refused):
    """The credential does not allow what was asked for."""


class TooManyRequests(Refused):
    """The caller asks more often than it may."""
