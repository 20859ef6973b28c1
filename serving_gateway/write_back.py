"""What was found below Redis goes back to the stores, off the path of requests."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pyarrow as pa

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores import redis_values
from feature_repo.stores.json_values import decode, encode
from feature_repo.stores.offline_values import UPSERT_LATEST_ARRAYS
from foundation import clock
from foundation.errors import StoreUnavailable
from foundation.postgres import Pool
from foundation.redis import Client, connect
from foundation.settings import Settings
from foundation.tracing import span
from serving_gateway.columns import Column, Found
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest

_WAITING_BATCHES = 1_000
_LONGEST_WRITE_SECONDS = 5.0


@dataclass(frozen=True)
class _Batch:
    """Values of one feature version: entity_id, feature_value as JSON text, timestamp."""

    feature: FeatureVersion
    rows: pa.Table
    is_computed: bool


class WriteBack:
    """
    Writes fresh values to Redis, and computed ones to PostgreSQL too.

    Nobody waits for it: what can't be written is counted and forgotten, for it can be found again.
    What is written was read a while ago: it never replaces what is equally old, a correction maybe.

    Args:
        settings: Say where Redis is.
        pool: Connections to PostgreSQL.
        instruments: Count what was written, and what was not.
        digest: Logs what was not.
    """

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        instruments: Instruments,
        digest: LogDigest,
    ) -> None:
        self._settings = settings.model_copy(
            update={"redis_write_timeout_seconds": settings.redis_connect_timeout_seconds}
        )
        self._pool = pool
        self._instruments = instruments
        self._digest = digest
        self._waiting: asyncio.Queue[_Batch] = asyncio.Queue(_WAITING_BATCHES)
        self._client: Client | None = None

    def offer_fresh(
        self, columns: Sequence[Column], found: Sequence[Found], *, now: datetime
    ) -> None:
        """Take the values that are fresh to Redis, as far as they are served from there."""
        for column, part in zip(columns, found, strict=True):
            feature = column.feature
            if "redis" not in feature.serving_location or part.timestamps is None:
                continue
            limit = now - feature.staleness_tolerance
            fresh = [
                (entity_id, text.decode(), timestamp)
                for entity_id, text, timestamp in zip(
                    column.entity_ids, part.texts, part.timestamps, strict=True
                )
                if text is not None and timestamp is not None and timestamp > limit
            ]
            if fresh:
                self._offer(_Batch(feature, _table(fresh), is_computed=False))

    def offer_computed(self, feature: FeatureVersion, rows: pa.Table) -> None:
        """Take computed values to the stores that the feature is served from."""
        if rows.num_rows:
            self._offer(_Batch(feature, rows, is_computed=True))

    async def run(self) -> None:
        """Write what is offered, until cancelled."""
        while True:
            batch = await self._waiting.get()
            try:
                await self._write(batch)
            finally:
                self._waiting.task_done()

    async def finish(self) -> None:
        """Wait until everything offered so far has been written, or could not be."""
        await self._waiting.join()

    def close(self) -> None:
        """Close the connection to Redis."""
        if self._client is not None:
            self._client.close()

    def _offer(self, batch: _Batch) -> None:
        try:
            self._waiting.put_nowait(batch)
        except asyncio.QueueFull:
            self._failed("queue", batch, "too much is waiting")

    async def _write(self, batch: _Batch) -> None:
        with span("write back", {"feature_store.feature": batch.feature.reference}):
            await self._write_stores(batch)

    async def _write_stores(self, batch: _Batch) -> None:
        if "redis" in batch.feature.serving_location:
            with self._counting("redis", batch):
                await asyncio.to_thread(self._write_online, batch)
        if batch.is_computed and "postgres" in batch.feature.serving_location:
            with self._counting("postgres", batch):
                await self._write_offline(batch)

    def _write_online(self, batch: _Batch) -> None:
        if self._client is None:
            self._client = connect(self._settings)
        rows = batch.rows
        # PostgreSQL writes JSON in its own way; a value has one text in Redis.
        values = decode(rows["feature_value"].combine_chunks(), batch.feature.feature_type)
        texts = pa.chunked_array([encode(values, batch.feature.feature_type)])
        rows = rows.set_column(rows.column_names.index("feature_value"), "feature_value", texts)
        redis_values.write_values(
            self._client, batch.feature, rows, now=clock.now(), replaces_equal=False
        )

    async def _write_offline(self, batch: _Batch) -> None:
        rows = batch.rows.sort_by("entity_id")  # in one order, whoever writes: no deadlock
        parameters = {
            "feature_name": batch.feature.feature_name,
            "version": batch.feature.version,
            "entity_ids": rows["entity_id"].to_pylist(),
            "feature_values": rows["feature_value"].to_pylist(),
            "timestamps": rows["timestamp"].to_pylist(),
        }
        async with asyncio.timeout(_LONGEST_WRITE_SECONDS), self._pool.connection() as connection:
            await connection.execute(UPSERT_LATEST_ARRAYS, parameters)

    @contextlib.contextmanager
    def _counting(self, store: str, batch: _Batch) -> Iterator[None]:
        try:
            yield
        except (StoreUnavailable, psycopg.Error, TimeoutError) as error:
            self._failed(store, batch, str(error).partition("\n")[0])
        except Exception as error:  # noqa: BLE001 - what is wrong with one batch is not with the next
            self._failed(store, batch, type(error).__name__)
            self._digest.add_error("write_back_broken", error, feature=batch.feature.reference)
        else:
            self._instruments.count_written_back(store, "written", batch.rows.num_rows)

    def _failed(self, store: str, batch: _Batch, reason: str) -> None:
        self._instruments.count_written_back(store, "failed", batch.rows.num_rows)
        self._digest.add("write_back_failed", store=store, reason=reason)


def _table(rows: Sequence[tuple[str, str, datetime]]) -> pa.Table:
    entity_ids, texts, timestamps = zip(*rows, strict=True)
    return pa.table(
        {
            "entity_id": pa.array(entity_ids, pa.string()),
            "feature_value": pa.array(texts, pa.string()),
            "timestamp": pa.array(timestamps, pa.timestamp("us", "UTC")),
        }
    )
