"""What can go wrong between a caller and the gateway."""

from collections.abc import Mapping

from serving_gateway.client.answers import Value


class ClientError(Exception):
    """
    Base of all errors of the client.

    Args:
        message: What is wrong, and what to do.
        request_id: Under which the gateway's log tells more; None if it did not answer.
    """

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.request_id = request_id

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} [request {self.request_id}]" if self.request_id else message


class UnknownName(ClientError):
    """The feature, the version or the feature service is not deployed (404)."""


class VersionNotServed(ClientError):
    """The feature has the version, but it is not to be served (409)."""


class LimitExceeded(ClientError):
    """The request asks for more than the gateway allows (413)."""


class MalformedRequest(ClientError):
    """The request is not what the gateway expects (other 4xx)."""


class NotAuthenticated(ClientError):
    """The API key is missing, wrong, expired or revoked (401)."""


class NotAllowed(ClientError):
    """The API key does not allow this (403)."""


class GatewayUnavailable(ClientError):
    """The gateway can't be reached, or can't answer now (5xx)."""


class TooManyRequests(GatewayUnavailable):
    """The caller asks more often than it may (429)."""


class TimedOut(GatewayUnavailable):
    """There was no answer within the budget."""


class UnexpectedAnswer(ClientError):
    """What came back is no answer of a gateway."""


class PartialAnswer(ClientError):
    """
    Some of the features could not be read; the others are here.

    Args:
        values: Of the others, as {entity_id: {feature_name: value}}.
        errors: Why each feature could not be read.
    """

    def __init__(
        self, values: Mapping[str, Mapping[str, Value]], errors: Mapping[str, Exception]
    ) -> None:
        told = "; ".join(f"{name}: {error}" for name, error in errors.items())
        super().__init__(f"not read: {told}")
        self.values = values
        self.errors = errors
