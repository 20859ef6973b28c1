"""The client for callers that await."""

import asyncio
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


class AsyncFeatureStoreClient:
    """
    Reads features from a gateway, in one event loop; parts of a large read at one time.

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
        self._http = httpx.AsyncClient(
            base_url=base_url, headers=self._settings.headers, limits=self._settings.limits
        )
        self._deprecations = calls.DeprecationWatch()

    async def get_feature(
        self, entity_id: str, feature_name: str, version: str | None = None
    ) -> Value:
        """Return one value."""
        value: Value = (await self._send(calls.value_call(entity_id, feature_name, version)))[
            "value"
        ]
        return value

    async def batch_get_features(
        self,
        entity_ids: Sequence[str],
        feature_names: Sequence[str],
        version: str | None = None,
        *,
        versions: Mapping[str, str] | None = None,
        user_id: str | None = None,
    ) -> Mapping[str, Mapping[str, Value]]:
        """Return values as {entity_id: {feature_name: value}}; see `read_batch`."""
        answer = await self.read_batch(
            entity_ids, feature_names, version, versions=versions, user_id=user_id
        )
        return answer.values

    async def read_batch(
        self,
        entity_ids: Sequence[str],
        feature_names: Sequence[str],
        version: str | None = None,
        *,
        versions: Mapping[str, str] | None = None,
        user_id: str | None = None,
        metadata: bool = False,
    ) -> BatchAnswer:
        """Do what `FeatureStoreClient.read_batch` does."""
        parts = calls.batch_calls(
            self._settings,
            entity_ids,
            feature_names,
            version=version,
            versions=versions,
            user_id=user_id,
            metadata=metadata,
        )
        return BatchAnswer.join([BatchAnswer.parse(body) for body in await self._send_all(parts)])

    async def get_service_features(
        self,
        service_name: str,
        *,
        product_ids: Sequence[str],
        user_id: str | None = None,
        query: str | None = None,
    ) -> Sequence[Mapping[str, Value]]:
        """Return a row a product with every feature of a feature service; see `read_service`."""
        answer = await self.read_service(
            service_name, product_ids=product_ids, user_id=user_id, query=query
        )
        return answer.rows

    async def read_service(
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
        """Do what `FeatureStoreClient.read_service` does."""
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
        return ServiceAnswer.join(
            [ServiceAnswer.parse(body) for body in await self._send_all(parts)]
        )

    async def get_feature_version(self, feature_name: str) -> str | None:
        """Return the version served to those who don't ask for one; None if none is active."""
        version: str | None = (await self._send(calls.feature_call(feature_name)))["served_version"]
        return version

    async def list_features(self) -> list[dict[str, Any]]:
        """Return the metadata of every deployed feature version."""
        features: list[dict[str, Any]] = (await self._send(calls.catalog_call()))["features"]
        return features

    async def invalidate(
        self,
        entity_ids: Sequence[str],
        *,
        feature_name: str | None = None,
        version: str | None = None,
    ) -> None:
        """Do what `FeatureStoreClient.invalidate` does."""
        await self._send_all(
            calls.invalidation_calls(
                self._settings, entity_ids, feature_name=feature_name, version=version
            )
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(self, call: Call) -> dict[str, Any]:
        return await self._send_until(call, time.monotonic() + self._settings.budget_seconds)

    async def _send_all(self, parts: Sequence[Call]) -> list[dict[str, Any]]:
        end = time.monotonic() + self._settings.budget_seconds
        return await asyncio.gather(*(self._send_until(call, end) for call in parts))

    async def _send_until(self, call: Call, end: float) -> dict[str, Any]:
        try:
            async for attempt in stamina.retry_context(
                on=calls.Backoff(end), attempts=self._settings.attempts, timeout=None
            ):
                with attempt:
                    return await self._attempt(call, end)
        except Retried as failure:
            raise failure.error from failure
        raise TimedOut(calls.SPENT)

    async def _attempt(self, call: Call, end: float) -> dict[str, Any]:
        remaining = calls.remaining_seconds(end)
        try:
            # httpx limits each read; an answer may come in many.
            async with asyncio.timeout(remaining):
                response = await self._http.request(
                    call.method,
                    call.path,
                    json=call.body,
                    params=call.parameters,
                    headers=calls.timeout_header(remaining),
                    timeout=None,
                )
        except TimeoutError:
            raise TimedOut(calls.SPENT) from None
        except httpx.TransportError as error:
            raise calls.unreachable(error) from error
        self._deprecations.look(response)
        return calls.read_answer(response, response.content)
