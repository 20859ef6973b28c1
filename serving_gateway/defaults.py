"""What is answered when no tier has a value."""

import asyncio

import orjson
import psycopg
import structlog

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.keys import key_values
from foundation.postgres import Pool
from serving_gateway.catalog_cache import CatalogCache

_log = structlog.get_logger()

_REFRESH_SECONDS = 30.0
_LONGEST_QUERY_SECONDS = 10.0
# A default is sent with every answer that lacks a value.
_MOST_KEYS = 10_000

_VALUES = """
SELECT entity_id, feature_value::text FROM feature_latest
WHERE feature_name = %s AND version = %s
ORDER BY entity_id LIMIT %s
"""


class Defaults:
    """
    The declared defaults, and those that are another feature's values, as JSON texts.

    Args:
        pool: Connections to PostgreSQL.
        catalog: Says which defaults are other features' values.
    """

    def __init__(self, pool: Pool, catalog: CatalogCache) -> None:
        self._pool = pool
        self._catalog = catalog
        self._values_of: dict[str, bytes] = {}

    def text(self, feature: FeatureVersion) -> bytes:
        """Return a feature version's default; `null` if it has none."""
        known = self._values_of.get(feature.default_values_of or "")
        return orjson.dumps(feature.default) if known is None else known

    async def refresh(self) -> None:
        """Read the values that are defaults; if that fails, keep what there is."""
        if not self._catalog.is_loaded:
            return
        references = {f.default_values_of for f in self._catalog.current.features} - {None}
        for reference in references:
            name, _, version = str(reference).partition("==")
            try:
                async with (
                    asyncio.timeout(_LONGEST_QUERY_SECONDS),
                    self._pool.connection() as connection,
                ):
                    cursor = await connection.execute(_VALUES, (name, version, _MOST_KEYS))
                    rows = await cursor.fetchall()
            except (psycopg.Error, TimeoutError) as error:
                _log.warning("defaults_not_refreshed", reference=reference, error=str(error))
                continue
            if rows:
                items = b",".join(
                    b"%b:%b" % (orjson.dumps(key_values(entity_id)[0]), text.encode())
                    for entity_id, text in rows
                )
                self._values_of[str(reference)] = b"{%b}" % items

    async def refresh_forever(self) -> None:
        """Read the values again and again, until cancelled."""
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            await self.refresh()
