"""Values computed for the request, from what is stored."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.stores.keys import key_values
from foundation import clock
from foundation.errors import DefinitionError, FeatureStoreError, StoreUnavailable
from foundation.postgres import Pool, translated_errors
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.columns import Column, Found, Vector, nothing_of
from serving_gateway.deadline import Deadline
from serving_gateway.tiers.computing import Computing
from serving_gateway.tiers.flights import Flights
from serving_gateway.tiers.guard import Guard
from serving_gateway.write_back import WriteBack
from transformations.embedding import Embed, Vectors
from transformations.on_demand import execute_async, is_computable, plan
from transformations.on_demand.plan import Plan
from transformations.on_demand.validity import in_valid_range
from transformations.values import stored_rows, typed_values

_ABSENT_COUNT = 10_000
# Values that are stored live for minutes at least.
_STORED_STEP_SECONDS = 10


class OnDemandTier:
    """
    Computes each feature's missing values at once; those that are kept at all go to both stores.

    Args:
        pool: Connections to PostgreSQL.
        catalog: Says what features are computed from.
        computing: The model, and threads to compute in.
        make_guard: Gives each feature version a guard of its own, for as long as it is in use: a
            slow model must not cost those features that need none.
        write_back: Takes values to the stores.
        absent_seconds: How long an entity without a value is taken to have none.
        limit_seconds: Longest time that a computation may go on after who asked has left.
    """

    name = "on_demand"

    def __init__(
        self,
        pool: Pool,
        catalog: CatalogCache,
        computing: Computing,
        *,
        make_guard: Callable[[str, Callable[[], bool]], Guard],
        write_back: WriteBack,
        absent_seconds: float,
        limit_seconds: float,
    ) -> None:
        self._pool = pool
        self._catalog = catalog
        self._computing = computing
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
        is_timed: bool,  # noqa: ARG002 - timestamps come for free
        deadline: Deadline,
    ) -> list[Found]:
        """Compute the values of columns, each on its own; see `Tier.read`."""
        parts = await asyncio.gather(*(self._read(column, deadline) for column in columns))
        return [found for part in parts for found in part]

    async def _read(self, column: Column, deadline: Deadline) -> list[Found]:
        reference = column.feature.reference
        if column.query_embedding is None:
            if self.flights.are_absent([column]):  # which says nothing about the computation
                return [nothing_of(column)]
            guard = self._guard(reference)
            return await guard.read([column], lambda: self.flights.read([column]), deadline)
        # Who brings an embedding gets values of his own, and needs no model.
        guard = self._guard(reference, ", embedding given")
        return await guard.read([column], lambda: self._fetch([column]), deadline)

    def _guard(self, reference: str, use: str = "") -> Guard:
        name = f"{self.name}:{reference}{use}"
        guard = self._guards.get(name)
        if guard is None or guard.is_retired:
            guard = self._make_guard(name, partial(self._is_in_use, reference))
            self._guards[name] = guard
        return guard

    def _is_in_use(self, reference: str) -> bool:
        return any(
            feature.reference == reference and feature.status is not Status.RETIRED
            for feature in self._catalog.current.features
        )

    async def _fetch(self, columns: Sequence[Column]) -> list[Found]:
        return [await self._compute(column) for column in columns]

    async def _compute(self, column: Column) -> Found:
        as_of = _instant(column.feature, clock.now())
        try:
            rows = await self._rows(column, as_of)
        except StoreUnavailable:
            raise
        except FeatureStoreError as error:  # no model is configured, or it breaks its promise
            raise StoreUnavailable(error.message) from error
        if column.feature.serving_location:
            self._write_back.offer_computed(column.feature, rows)
        identifiers = rows["entity_id"].to_pylist()
        texts = dict(zip(identifiers, rows["feature_value"].to_pylist(), strict=True))
        timestamps = dict(zip(identifiers, rows["timestamp"].to_pylist(), strict=True))
        found = [texts.get(entity_id) for entity_id in column.entity_ids]
        return Found(
            [None if text is None else text.encode() for text in found],
            [timestamps.get(entity_id) for entity_id in column.entity_ids],
        )

    async def _rows(self, column: Column, as_of: datetime) -> pa.Table:
        """Return entity_id, feature_value as JSON text and timestamp of what has a value."""
        feature = column.feature
        planned = await self._computing.threads.run(
            plan,
            feature,
            _wanted(column),
            dependencies=self._dependencies(feature),
            as_of=as_of,
            embed=_embedder(column.query_embedding, self._computing.embed),
        )
        with translated_errors():
            async with self._pool.connection() as connection:
                results = {
                    name: await execute_async(connection, statement)
                    for name, statement in planned.statements.items()
                }
        waits_for_model = planned.embeds and column.query_embedding is None
        threads = self._computing.embedding_threads if waits_for_model else self._computing.threads
        return await threads.run(_finish, feature, planned, results, as_of)

    def _dependencies(self, feature: FeatureVersion) -> list[FeatureVersion]:
        known = {f.reference: f for f in self._catalog.current.features}
        return [known[reference] for reference in feature.dependencies if reference in known]


def _instant(feature: FeatureVersion, now: datetime) -> datetime:
    """
    Return the instant that values are computed for.

    Compiling an expression takes the processor 10 ms or more, and is done once for each instant.
    """
    step = _STORED_STEP_SECONDS if feature.serving_location else 1
    return now.replace(microsecond=0) - timedelta(seconds=int(now.timestamp()) % step)


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
