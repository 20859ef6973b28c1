"""Feast's online store on our Redis layout, for `feast materialize`, its SDK and `feast serve`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from feast import Entity, FeatureView, RepoConfig
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.protos.feast.serving.ServingService_pb2 import GetOnlineFeaturesResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.registry.views import feature_version
from feature_repo.stores.feast_reads import (
    PlannedRead,
    ReadRow,
    flattened,
    plan_read,
    populate,
    proto_keys,
    read_rows,
)
from feature_repo.stores.json_values import encode
from feature_repo.stores.protos import arrow_values, proto_entity_id
from feature_repo.stores.redis_reads import read_timed_texts, read_timed_texts_async
from feature_repo.stores.redis_values import delete_values, write_values
from foundation import clock
from foundation.errors import DefinitionError
from foundation.redis import AsyncClient, Client, connect, connect_async
from foundation.settings import load_settings

_log = structlog.get_logger()

WriteRow = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
Progress = Callable[[int], Any] | None
GroupedReferences = Sequence[tuple[FeatureView, list[str]]]


class VersionedRedisOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # untyped
    """Nothing to configure: the store connects as the settings say."""

    type: Literal["feature_repo.stores.online.VersionedRedisOnlineStore"]


class VersionedRedisOnlineStore(OnlineStore):  # type: ignore[misc]  # untyped
    """One Redis string a value, under `feature:{feature_name}:{entity_id}:v{version}`."""

    def __init__(self) -> None:
        self._features: dict[str, tuple[Mapping[str, str], FeatureVersion]] = {}

    @cached_property
    def _client(self) -> Client:
        return connect(load_settings())

    @cached_property
    def _async_client(self) -> AsyncClient:
        return connect_async(load_settings())

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        """Reads and writes can be awaited."""
        return SupportedAsyncMethods(read=True, write=True)

    def online_write_batch(
        self,
        config: RepoConfig,  # noqa: ARG002 - Feast's signature
        table: FeatureView,
        data: list[WriteRow],
        progress: Progress,
    ) -> None:
        """
        Store rows of a feature view; nulls and what is stale already are left out.

        Args:
            config: Feast's configuration.
            table: View of one feature version.
            data: Entity key, values by feature, event timestamp (naive means UTC), created time.
            progress: Told how many rows were taken.

        Raises:
            StoreUnavailable: Redis can't be reached, or refuses.
            DefinitionError: The view is not one of this repository.
        """
        feature = self._feature(table)
        write_values(self._client, feature, _stored_rows(feature, data), now=clock.now())
        if progress is not None:
            progress(len(data))

    async def online_write_batch_async(
        self, config: RepoConfig, table: FeatureView, data: list[WriteRow], progress: Progress
    ) -> None:
        """Do what `online_write_batch` does in a thread, without blocking the caller's loop."""
        await asyncio.to_thread(self.online_write_batch, config, table, data, progress)

    def online_read(
        self,
        config: RepoConfig,  # noqa: ARG002 - Feast's signature
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,  # noqa: ARG002 - a view has one
    ) -> list[ReadRow]:
        """
        Read a feature view's values.

        Returns:
            In the order of the entity keys, event timestamp and value by feature name; (None, None)
            where there is no fresh value.
        """
        feature = self._feature(table)
        keys = proto_keys(feature, entity_keys)
        found = read_timed_texts(self._client, [feature] * len(keys), keys)
        return read_rows(feature, found)

    async def online_read_async(
        self,
        config: RepoConfig,  # noqa: ARG002 - Feast's signature
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,  # noqa: ARG002 - a view has one
    ) -> list[ReadRow]:
        """Do what `online_read` does, without blocking."""
        feature = self._feature(table)
        keys = proto_keys(feature, entity_keys)
        found = await read_timed_texts_async(self._async_client, [feature] * len(keys), keys)
        return read_rows(feature, found)

    def update(
        self,
        config: RepoConfig,  # noqa: ARG002 - Feast's signature
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],  # noqa: ARG002 - values need no preparation
        entities_to_delete: Sequence[Entity],  # noqa: ARG002 - entities hold no values
        entities_to_keep: Sequence[Entity],  # noqa: ARG002 - the same
        partial: bool,  # noqa: ARG002, FBT001 - Feast's signature
    ) -> None:
        """Remove the values of feature versions that left the repository."""
        self._delete(tables_to_delete)

    def teardown(
        self,
        config: RepoConfig,  # noqa: ARG002 - Feast's signature
        tables: Sequence[FeatureView],
        entities: Sequence[Entity],  # noqa: ARG002 - entities hold no values
    ) -> None:
        """Remove the values of all given feature versions."""
        self._delete(tables)

    async def close(self) -> None:
        """Close what was opened for asynchronous reads."""
        if "_async_client" in self.__dict__:
            await self._async_client.aclose()

    def _read_features_per_fv(
        self,
        config: RepoConfig,  # noqa: ARG002 - Feast's signature
        grouped_refs: GroupedReferences,
        join_key_values: dict[str, list[Value]],
        entity_name_to_join_key_map: dict[str, str],
        online_features_response: GetOnlineFeaturesResponse,
        full_feature_names: bool,  # noqa: FBT001 - Feast's signature
        include_feature_view_version_metadata: bool,  # noqa: FBT001 - the same
    ) -> None:
        """Read all feature views of a request together: Feast's hook for that."""
        reads = self._plan(grouped_refs, join_key_values, entity_name_to_join_key_map)
        features, keys = flattened(reads)
        found = read_timed_texts(self._client, features, keys)
        flags = (full_feature_names, include_feature_view_version_metadata)
        populate(online_features_response, reads, found, *flags)

    async def _read_features_per_fv_async(
        self,
        config: RepoConfig,  # noqa: ARG002 - Feast's signature
        grouped_refs: GroupedReferences,
        join_key_values: dict[str, list[Value]],
        entity_name_to_join_key_map: dict[str, str],
        online_features_response: GetOnlineFeaturesResponse,
        full_feature_names: bool,  # noqa: FBT001 - Feast's signature
        include_feature_view_version_metadata: bool,  # noqa: FBT001 - the same
    ) -> None:
        """Do what `_read_features_per_fv` does, without blocking."""
        reads = self._plan(grouped_refs, join_key_values, entity_name_to_join_key_map)
        features, keys = flattened(reads)
        found = await read_timed_texts_async(self._async_client, features, keys)
        flags = (full_feature_names, include_feature_view_version_metadata)
        populate(online_features_response, reads, found, *flags)

    def _plan(
        self,
        grouped_refs: GroupedReferences,
        join_key_values: dict[str, list[Value]],
        entity_name_to_join_key_map: dict[str, str],
    ) -> list[PlannedRead]:
        return [
            plan_read(
                self._feature(table), table, names, join_key_values, entity_name_to_join_key_map
            )
            for table, names in grouped_refs
        ]

    def _feature(self, table: FeatureView) -> FeatureVersion:
        """Return the feature version of a view; parsed once, until its tags change."""
        known = self._features.get(table.name)
        if known is not None and known[0] == table.tags:
            return known[1]
        feature = feature_version(table)
        self._features[table.name] = (dict(table.tags), feature)
        return feature

    def _delete(self, tables: Sequence[FeatureView]) -> None:
        for table in tables:
            try:
                feature = self._feature(table)
            except DefinitionError as error:  # what it may have expires by itself
                _log.warning("values_not_removed", view=table.name, reason=error.message)
            else:
                delete_values(self._client, feature.feature_name, feature.version)


def _stored_rows(feature: FeatureVersion, data: Sequence[WriteRow]) -> pa.Table:
    values = arrow_values((row[1][feature.feature_name] for row in data), feature.feature_type)
    rows = pa.table(
        {
            "entity_id": pa.array(
                [proto_entity_id(row[0], feature.join_keys) for row in data], pa.string()
            ),
            "feature_value": encode(values, feature.feature_type),
            "timestamp": pa.array([_aware(row[2]) for row in data], pa.timestamp("us", "UTC")),
        }
    )
    return rows.filter(pc.is_valid(rows["feature_value"]))


def _aware(timestamp: datetime) -> datetime:
    return timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)
