"""The client for callers that wait."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
import stamina

from serving_gateway.client import calls
from serving_gateway.client.answers import BatchAnswer, ServiceAnswer, Value
from serving_gateway.client.calls import Call, ClientSettings, Retried
from serving_gateway.client.errors import TimedOut

# To sockets, none at all means not to wait at all: another error.
_SHORTEST_SECONDS = 0.001


class FeatureStoreClient:
    """
    Reads features from a gateway; may be shared by threads.

    Every method raises subclasses of `ClientError`.

    Args:
        base_url: The gateway's address, such as `https://features.example`.
        api_key: Short for `settings.api_key`.
        settings: How to ask.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        settings: ClientSettings | None = None,
    ) -> None:
        self._settings = settings or ClientSettings(api_key=api_key)
        self._http = httpx.Client(
            base_url=base_url, headers=self._settings.headers, limits=self._settings.limits
        )
        self._deprecations = calls.DeprecationWatch()

    def get_feature(self, entity_id: str, feature_name: str, version: str | None = None) -> Value:
        """Return one value."""
        value: Value = self._send(calls.value_call(entity_id, feature_name, version))["value"]
        return value

    def batch_get_features(
        self,
        entity_ids: Sequence[str],
        feature_names: Sequence[str],
        version: str | None = None,
        *,
        versions: Mapping[str, str] | None = None,
        user_id: str | None = None,
    ) -> Mapping[str, Mapping[str, Value]]:
        """Return values as {entity_id: {feature_name: value}}; see `read_batch`."""
        return self.read_batch(
            entity_ids, feature_names, version, versions=versions, user_id=user_id
        ).values

    def read_batch(
        self,
        entity_ids: Sequence[str],
        feature_names: Sequence[str],
        version: str | None = None,
        *,
        versions: Mapping[str, str] | None = None,
        user_id: str | None = None,
        metadata: bool = False,
    ) -> BatchAnswer:
        """
        Return every feature for every entity, and where the values come from.

        Args:
            entity_ids: Ids; more than the gateway takes at once are asked for in parts.
            feature_names: Names of features.
            version: Of all features: exact, a range like `^1`, or `latest`.
            versions: Of single features, before `version`.
            user_id: Whose experiments apply.
            metadata: Whether to tell of each value where it comes from.
        """
        parts = calls.batch_calls(
            self._settings,
            entity_ids,
            feature_names,
            version=version,
            versions=versions,
            user_id=user_id,
            metadata=metadata,
        )
        return BatchAnswer.join([BatchAnswer.parse(body) for body in self._send_all(parts)])

    def get_service_features(
        self,
        service_name: str,
        *,
        product_ids: Sequence[str],
        user_id: str | None = None,
        query: str | None = None,
    ) -> Sequence[Mapping[str, Value]]:
        """Return a row a product with every feature of a feature service; see `read_service`."""
        return self.read_service(
            service_name, product_ids=product_ids, user_id=user_id, query=query
        ).rows

    def read_service(
        self,
        service_name: str,
        *,
        product_ids: Sequence[str],
        user_id: str | None = None,
        query: str | None = None,
        query_embedding: Sequence[float] | None = None,
        versions: Mapping[str, str] | None = None,
        metadata: bool = False,
    ) -> ServiceAnswer:
        """
        Return a row a product with every feature of a feature service, and where they come from.

        Args:
            service_name: Such as `ranking_v1`.
            product_ids: The candidates; more than the gateway takes at once are asked for in parts.
            user_id: Whose features, and whose experiments.
            query: What was searched for.
            query_embedding: The query as a vector, for callers who have it.
            versions: Of single features, instead of the service's.
            metadata: Whether to tell of each value where it comes from.
        """
        parts = calls.service_calls(
            self._settings,
            service_name,
            product_ids,
            user_id=user_id,
            query=query,
            query_embedding=query_embedding and list(query_embedding),
            versions=versions,
            metadata=metadata,
        )
        return ServiceAnswer.join([ServiceAnswer.parse(body) for body in self._send_all(parts)])

    def get_feature_version(self, feature_name: str) -> str | None:
        """Return the version served to those who don't ask for one; None if none is active."""
        version: str | None = self._send(calls.feature_call(feature_name))["served_version"]
        return version

    def list_features(self) -> list[dict[str, Any]]:
        """Return the metadata of every deployed feature version."""
        features: list[dict[str, Any]] = self._send(calls.catalog_call())["features"]
        return features

    def invalidate(
        self,
        entity_ids: Sequence[str],
        *,
        feature_name: str | None = None,
        version: str | None = None,
    ) -> None:
        """
        Have values removed that are no longer right, such as those of products that have changed.

        The API key must have the scope admin.

        Args:
            entity_ids: Whose values.
            feature_name: Of this feature only.
            version: Of this version only.
        """
        self._send_all(
            calls.invalidation_calls(
                self._settings, entity_ids, feature_name=feature_name, version=version
            )
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, call: Call) -> dict[str, Any]:
        return self._send_until(call, time.monotonic() + self._settings.budget_seconds)

    def _send_all(self, parts: Sequence[Call]) -> list[dict[str, Any]]:
        end = time.monotonic() + self._settings.budget_seconds
        return [self._send_until(call, end) for call in parts]

    def _send_until(self, call: Call, end: float) -> dict[str, Any]:
        try:
            for attempt in stamina.retry_context(
                on=calls.Backoff(end), attempts=self._settings.attempts, timeout=None
            ):
                with attempt:
                    return self._attempt(call, end)
        except Retried as failure:
            raise failure.error from failure
        raise TimedOut(calls.SPENT)

    def _attempt(self, call: Call, end: float) -> dict[str, Any]:
        remaining = calls.remaining_seconds(end)
        try:
            with self._http.stream(
                call.method,
                call.path,
                json=call.body,
                params=call.parameters,
                headers=calls.timeout_header(remaining),
                extensions={"timeout": _Remaining(end)},
            ) as response:
                content = bytearray()
                for piece in response.iter_bytes():
                    content += piece
                    calls.remaining_seconds(end)
        except httpx.TransportError as error:
            raise calls.unreachable(error) from error
        self._deprecations.look(response)
        return calls.read_answer(response, bytes(content))


class _Remaining(dict[str, float]):
    """
    The limits of connecting, sending and receiving: each what is left of the budget as it begins.

    Args:
        end: When the budget is spent, on the monotonic clock.
    """

    def __init__(self, end: float) -> None:
        super().__init__()
        self._end = end

    def get(self, *_: object) -> float:
        """Return what is left, for whatever is asked."""
        return max(self._end - time.monotonic(), _SHORTEST_SECONDS)
