"""PostgreSQL: the latest value of each entity, fresh or stale."""

from collections.abc import Sequence
from datetime import datetime

from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.postgres import Pool, translated_errors
from serving_gateway.columns import Column, Found, nothing_of
from serving_gateway.deadline import Deadline
from serving_gateway.tiers.flights import Flights
from serving_gateway.tiers.guard import Guard
from serving_gateway.tiers.soundness import SoundTexts
from serving_gateway.write_back import WriteBack

_ABSENT_COUNT = 100_000

# LATERAL with a limit is always a walk through the primary key, whatever the planner thinks of
# arrays whose length it does not know.
_LATEST = """
SELECT wanted.position, found.feature_value::text, found."timestamp"
FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY
    AS wanted (feature_name, version, entity_id, position)
CROSS JOIN LATERAL (
    SELECT feature_value, "timestamp" FROM feature_latest
    WHERE feature_name = wanted.feature_name
      AND version = wanted.version
      AND entity_id = wanted.entity_id
    LIMIT 1
) AS found
"""


class OfflineTier:
    """
    Reads all columns in one query; what is fresh goes to Redis.

    Args:
        pool: Connections to PostgreSQL.
        guard: Keeps reads off a sick PostgreSQL.
        sound: Passes on what is a value.
        write_back: Takes what is fresh to Redis.
        absent_seconds: How long an entity without a value is taken to have none.
        limit_seconds: Longest time that a query may go on after who asked has left.
    """

    name = "offline"

    def __init__(
        self,
        pool: Pool,
        *,
        guard: Guard,
        sound: SoundTexts,
        write_back: WriteBack,
        absent_seconds: float,
        limit_seconds: float,
    ) -> None:
        self._pool = pool
        self._guard = guard
        self._sound = sound
        self._write_back = write_back
        self.flights = Flights(
            self._fetch,
            absent_seconds=absent_seconds,
            absent_count=_ABSENT_COUNT,
            limit_seconds=limit_seconds,
        )

    def serves(self, feature: FeatureVersion) -> bool:
        """Tell whether a feature version's latest values are kept."""
        return "postgres" in feature.serving_location

    async def read(
        self,
        columns: Sequence[Column],
        *,
        is_timed: bool,  # noqa: ARG002 - timestamps come for free
        deadline: Deadline,
    ) -> list[Found]:
        """Read the latest values, with their event timestamps; see `Tier.read`."""
        if self.flights.are_absent(columns):  # which says nothing about PostgreSQL
            return [nothing_of(column) for column in columns]
        return await self._guard.read(columns, lambda: self.flights.read(columns), deadline)

    async def _fetch(self, columns: Sequence[Column]) -> list[Found]:
        texts: list[list[bytes | None]] = [[None] * len(c.entity_ids) for c in columns]
        timestamps: list[list[datetime | None]] = [[None] * len(c.entity_ids) for c in columns]
        places = [
            (number, row)
            for number, column in enumerate(columns)
            for row, entity_id in enumerate(column.entity_ids)
            if "\0" not in entity_id  # text in PostgreSQL holds none
        ]
        for position, text, timestamp in await self._query(columns, places):
            number, row = places[position - 1]
            texts[number][row], timestamps[number][row] = text.encode(), timestamp
        found = [
            Found(self._sound.of(column.feature, column_texts), column_timestamps)
            for column, column_texts, column_timestamps in zip(
                columns, texts, timestamps, strict=True
            )
        ]
        self._write_back.offer_fresh(columns, found, now=clock.now())
        return found

    async def _query(
        self, columns: Sequence[Column], places: Sequence[tuple[int, int]]
    ) -> list[tuple[int, str, datetime]]:
        names = [columns[number].feature.feature_name for number, _ in places]
        versions = [columns[number].feature.version for number, _ in places]
        ids = [columns[number].entity_ids[row] for number, row in places]
        with translated_errors():
            async with (
                self._pool.connection() as connection,
                connection.cursor(binary=True) as cursor,
            ):
                await cursor.execute(_LATEST, (names, versions, ids))
                return await cursor.fetchall()
