"""Requests that miss the same values at the same time share one fetch of them."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

from cachetools import TTLCache

from foundation.errors import StoreUnavailable
from serving_gateway.columns import Column, Found
from serving_gateway.tiers.unattended import UnattendedTasks

Fetch = Callable[[Sequence[Column]], Coroutine[Any, Any, list[Found]]]
Key = tuple[str, str]
Value = tuple[bytes, datetime | None]
Flight = asyncio.Task[dict[Key, Value]]


class Flights:
    """
    Fetches values once for all who ask meanwhile, and remembers briefly which do not exist.

    A fetch goes on when those who asked are gone: its values may be written to Redis, for the next.

    Args:
        fetch: Reads columns, with event timestamps.
        absent_seconds: How long values that were not found are taken for absent.
        absent_count: How many of them are remembered.
        limit_seconds: Longest time that a fetch may go on.
    """

    def __init__(
        self, fetch: Fetch, *, absent_seconds: float, absent_count: int, limit_seconds: float
    ) -> None:
        self._fetch = fetch
        self._limit_seconds = limit_seconds
        self._absent: TTLCache[Key, bool] = TTLCache(absent_count, absent_seconds)
        self._flights: dict[Key, Flight] = {}
        self._flying: UnattendedTasks[dict[Key, Value]] = UnattendedTasks()
        self._fetches: UnattendedTasks[list[Found]] = UnattendedTasks()

    def are_absent(self, columns: Sequence[Column]) -> bool:
        """Tell whether no value of columns exists, as far as is known without a fetch."""
        return all((c.feature.reference, e) in self._absent for c in columns for e in c.entity_ids)

    async def read(self, columns: Sequence[Column]) -> list[Found]:
        """
        Return what there is of columns.

        Raises:
            StoreUnavailable: The fetch failed.
        """
        keys = [[(c.feature.reference, entity) for entity in c.entity_ids] for c in columns]
        self._take_off(columns, keys)
        wanted = {key for column in keys for key in column}
        values: dict[Key, Value] = {}
        for flight in {f for key in wanted if (f := self._flights.get(key)) is not None}:
            values |= await asyncio.shield(flight)
        return [_found([values.get(key) for key in column]) for column in keys]

    def forget_absent(self) -> None:
        """Take nothing for absent any more."""
        self._absent.clear()

    def _take_off(self, columns: Sequence[Column], keys: Sequence[Sequence[Key]]) -> None:
        """Start a fetch of what nobody is fetching and may exist."""
        fresh = []
        for column, column_keys in zip(columns, keys, strict=True):
            rows = [
                row
                for row, key in enumerate(column_keys)
                if key not in self._flights and key not in self._absent
            ]
            if rows:
                fresh.append(column.only(rows))
        if fresh:
            flight = self._flying.start(self._fly(fresh))
            for column in fresh:
                for entity in column.entity_ids:
                    self._flights[column.feature.reference, entity] = flight

    async def _fly(self, columns: Sequence[Column]) -> dict[Key, Value]:
        fetching = self._fetches.start(self._fetch(columns))
        try:
            await asyncio.wait([fetching], timeout=self._limit_seconds)
            if not fetching.done():
                raise StoreUnavailable("the fetch took too long")
            return self._landed(columns, fetching.result())
        finally:
            # Nobody waits for a driver that is slow to let go of a dead connection.
            fetching.cancel()
            for column in columns:
                for entity in column.entity_ids:
                    del self._flights[column.feature.reference, entity]

    def _landed(self, columns: Sequence[Column], found: Sequence[Found]) -> dict[Key, Value]:
        values: dict[Key, Value] = {}
        for column, part in zip(columns, found, strict=True):
            timestamps = part.timestamps or [None] * len(part.texts)
            for entity, text, time in zip(column.entity_ids, part.texts, timestamps, strict=True):
                key = (column.feature.reference, entity)
                if text is not None:
                    values[key] = (text, time)
                elif not part.is_unavailable:
                    self._absent[key] = True
        return values


def _found(values: Sequence[Value | None]) -> Found:
    texts = [None if value is None else value[0] for value in values]
    return Found(texts, [None if value is None else value[1] for value in values])
