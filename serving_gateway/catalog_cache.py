"""The catalog in memory: read in the background, kept when the registry is down."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from feature_repo.registry.catalog import Catalog
from foundation import clock
from foundation.errors import FeatureStoreError, StoreUnavailable
from serving_gateway.threads import Threads

_log = structlog.get_logger()


class CatalogCache:
    """
    Holds the newest catalog that could be read.

    Args:
        read: Reads the catalog; may block, and runs in a thread.
        interval: Time between two readings.
        limit: How long a reading is waited for.
    """

    def __init__(
        self, read: Callable[[], Catalog], *, interval: timedelta, limit: timedelta
    ) -> None:
        self._read = read
        self._interval = interval
        self._limit = limit
        # One at a time: where a reading is stuck, another would be, too.
        self._threads = Threads("reading of the catalog", count=1, places=0)
        self._catalog: Catalog | None = None
        self._read_at = clock.now()

    @property
    def current(self) -> Catalog:
        """
        The catalog.

        Raises:
            StoreUnavailable: It could not be read even once.
        """
        if self._catalog is None:
            raise StoreUnavailable(
                "the catalog of features has not been read yet",
                hint="Is the registry's PostgreSQL running? The gateway keeps trying.",
            )
        return self._catalog

    @property
    def is_loaded(self) -> bool:
        """Whether there is a catalog."""
        return self._catalog is not None

    def age_seconds(self) -> float:
        """Return the time since the catalog was read, or since the start if it never was."""
        return (clock.now() - self._read_at).total_seconds()

    async def refresh(self) -> None:
        """Read the catalog; what can't be read stays as it was, and is told."""
        try:
            async with asyncio.timeout(self._limit.total_seconds()):
                found = await self._threads.run(self._read)
        except FeatureStoreError as error:
            _log.warning("catalog_not_refreshed", error=error.message)
        except TimeoutError:
            _log.warning("catalog_not_refreshed", error="no answer in time")
        except Exception:  # noqa: BLE001 - whatever Feast raises, the next reading may succeed
            _log.error("catalog_not_refreshed", exc_info=True)
        else:
            self._catalog = found.completed_from(self._catalog or found)
            self._read_at = clock.now()

    async def refresh_forever(self) -> None:
        """Read the catalog again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._interval.total_seconds())
            await self.refresh()
