"""Which versions are served, added up in PostgreSQL: metrics forget, retiring must not guess."""

import asyncio
from collections import Counter

import psycopg

from feature_repo.stores.feature_use import ADD_REQUESTS
from foundation import clock
from foundation.postgres import Pool
from serving_gateway.log_digest import LogDigest
from serving_gateway.reading import Reading

_INTERVAL_SECONDS = 30.0
_LONGEST_WRITE_SECONDS = 5.0


class UseLedger:
    """
    Counts requests by feature version, and adds the counts up in PostgreSQL now and then.

    Args:
        pool: Connections to PostgreSQL.
        digest: Logs counts that could not be written yet.
    """

    needs_times = False

    def __init__(self, pool: Pool, digest: LogDigest) -> None:
        self._pool = pool
        self._digest = digest
        self._counts: Counter[tuple[str, str]] = Counter()

    def takes(self) -> bool:
        """Count every request."""
        return True

    def offer(self, reading: Reading) -> None:
        """Count a request."""
        for feature in reading.selection.features:
            self._counts[feature.feature_name, feature.version] += 1

    async def flush(self) -> None:
        """Write what has been counted; what can't be is kept for the next time."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        parameters = {
            "feature_names": [name for name, _ in counts],
            "versions": [version for _, version in counts],
            "requests": list(counts.values()),
            "day": clock.now().date(),
        }
        try:
            async with (
                asyncio.timeout(_LONGEST_WRITE_SECONDS),
                self._pool.connection() as connection,
            ):
                await connection.execute(ADD_REQUESTS, parameters)
        except (psycopg.Error, TimeoutError) as error:
            self._counts += counts
            self._digest.add("use_not_written", error=str(error).partition("\n")[0])
        except asyncio.CancelledError:
            # The gateway ends, and flushes once more. Twice counted is better than not at all.
            self._counts += counts
            raise

    async def run(self) -> None:
        """Write again and again, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            await self.flush()
