"""Values computed for the request, from what is stored."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.keys import key_values
from foundation import clock
from foundation.errors import DefinitionError, FeatureStoreError, StoreUnavailable
from foundation.postgres import Pool
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.columns import Column, Found, Vector
from serving_gateway.deadline import Deadline
from serving_gateway.tiers.flights import Flights
from serving_gateway.tiers.guard import Guard
from serving_gateway.write_back import WriteBack
from transformations.embedding import Embed, Vectors
from transformations.on_demand import execute_async, is_computable, plan
from transformations.on_demand.plan import Plan
from transformations.on_demand.validity import in_valid_range
from transformations.values import stored_rows, typed_values

_ABSENT_COUNT = 10_000


class OnDemandTier:
    """
    Computes each feature's missing values at once; those that are kept at all go to both stores.

    Args:
        pool: Connections to PostgreSQL.
        catalog: Says what features are computed from.
        embed: Turns texts into vectors; may block.
        make_guard: Gives each feature version a guard of its own: a slow model must not cost those
            features that need none.
        write_back: Takes values to the stores.
        absent_seconds: How long an entity without a value is taken to have none.
        limit_seconds: Longest time that a computation may go on after who asked has left.
    """

    name = "on_demand"

    def __init__(
        self,
        pool: Pool,
        catalog: CatalogCache,
        embed: Embed,
        *,
        make_guard: Callable[[str], Guard],
        write_back: WriteBack,
        absent_seconds: float,
        limit_seconds: float,
    ) -> None:
        self._pool = pool
        self._catalog = catalog
        self._embed = embed
        self._make_guard = make_guard
        self._guards: dict[str, Guard] = {}
        self._write_back = write_back
        self.flights = Flights(
            self._fetch,
            absent_seconds=absent_seconds,
            absent_count=_ABSENT_COUNT,
            limit_seconds=limit_seconds,
        )

    def serves(self, feature: FeatureVersion) -> bool:
        """Tell whether the code that is here computes a feature version for a request."""
        try:
            return is_computable(feature)
        except DefinitionError:
            # Deployed from newer code, or older; its stored values are served all the same.
            return False

    async def read(
        self,
        columns: Sequence[Column],
        *,
        is_timed: bool,  # noqa: ARG002 - the timestamp is now
        deadline: Deadline,
    ) -> list[Found]:
        """Compute the values of columns, each on its own; see `Tier.read`."""
        parts = await asyncio.gather(*(self._read(column, deadline) for column in columns))
        return [found for part in parts for found in part]

    async def _read(self, column: Column, deadline: Deadline) -> list[Found]:
        reference = column.feature.reference
        if reference not in self._guards:
            self._guards[reference] = self._make_guard(f"{self.name}:{reference}")
        # Who brings an embedding gets values of his own.
        read = self.flights.read if column.query_embedding is None else self._fetch
        return await self._guards[reference].read([column], lambda: read([column]), deadline)

    async def _fetch(self, columns: Sequence[Column]) -> list[Found]:
        return [await self._compute(column) for column in columns]

    async def _compute(self, column: Column) -> Found:
        # Compiling an expression takes 10 ms, and is done once for each instant.
        as_of = clock.now().replace(microsecond=0)
        try:
            rows = await self._rows(column, as_of)
        except psycopg.OperationalError as error:
            raise StoreUnavailable(f"PostgreSQL: {error}") from error
        except StoreUnavailable:
            raise
        except FeatureStoreError as error:  # no model is configured, or it breaks its promise
            raise StoreUnavailable(error.message) from error
        if column.feature.serving_location:
            self._write_back.offer_computed(column.feature, rows)
        texts = dict(
            zip(rows["entity_id"].to_pylist(), rows["feature_value"].to_pylist(), strict=True)
        )
        found = [texts.get(entity_id) for entity_id in column.entity_ids]
        return Found(
            [None if text is None else text.encode() for text in found],
            [None if text is None else as_of for text in found],
        )

    async def _rows(self, column: Column, as_of: datetime) -> pa.Table:
        """Return entity_id, feature_value as JSON text and timestamp of what has a value."""
        feature = column.feature
        planned = await asyncio.to_thread(
            plan,
            feature,
            _wanted(column),
            dependencies=self._dependencies(feature),
            as_of=as_of,
            embed=_embedder(column.query_embedding, self._embed),
        )
        async with self._pool.connection() as connection:
            results = {
                name: await execute_async(connection, statement)
                for name, statement in planned.statements.items()
            }
        return await asyncio.to_thread(_finish, feature, planned, results, as_of)

    def _dependencies(self, feature: FeatureVersion) -> list[FeatureVersion]:
        known = {f.reference: f for f in self._catalog.current.features}
        return [known[reference] for reference in feature.dependencies if reference in known]


def _wanted(column: Column) -> pa.Table:
    parts = zip(*map(key_values, column.entity_ids), strict=True)
    return pa.table(
        [pa.array(part, pa.string()) for part in parts], names=list(column.feature.join_keys)
    )


def _embedder(given: Vector | None, model: Embed) -> Embed:
    return model if given is None else partial(_repeated, np.asarray(given, np.float32))


def _repeated(vector: npt.NDArray[np.float32], texts: Sequence[str]) -> Vectors:
    return np.tile(vector, (len(texts), 1))


def _finish(
    feature: FeatureVersion, planned: Plan, results: Mapping[str, pa.Table], as_of: datetime
) -> pa.Table:
    values = typed_values(feature, planned.finish(results))
    sound = values.filter(in_valid_range(feature, values["feature_value"]))
    return stored_rows(feature, sound, as_of=as_of)
