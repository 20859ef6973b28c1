"""The service: finds products by words of their titles, the popular ones first."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import BaseModel

from examples.search_service.popularity import popularity_of_events
from foundation.postgres import connect
from foundation.settings import Settings
from serving_gateway.client import (
    AsyncFeatureStoreClient,
    AsyncMigratingReader,
    ClientError,
    ClientSettings,
    Mode,
    ParityLedger,
)

_log = logging.getLogger(__name__)

POPULARITY = "popularity_score"
_MOST_FOUND = 200
_REPORT_SECONDS = 60.0
_FIND = """
SELECT product_id, title FROM products WHERE title ILIKE '%%' || %s || '%%'
ORDER BY product_id LIMIT %s
"""


class Product(BaseModel):
    """What was found; without a popularity if that is not to be had."""

    product_id: str
    title: str
    popularity_score: float | None


def create_app(
    settings: Settings,
    gateway_url: str,
    client: ClientSettings,
    *,
    mode: Callable[[str], Mode],
    report: Path,
) -> FastAPI:
    """
    Return the service.

    Args:
        settings: Say where its own tables are.
        gateway_url: Where the feature store is.
        client: How to ask it.
        mode: How far a feature has come.
        report: File for `python -m monitoring parity`; written once a minute, and at the end.
    """
    readers: list[AsyncMigratingReader] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        inline = {POPULARITY: popularity_of_events(settings)}
        async with AsyncFeatureStoreClient(gateway_url, settings=client) as store:
            async with AsyncMigratingReader(store, inline=inline, mode=mode) as reader:
                readers.append(reader)
                reporting = asyncio.create_task(_report_forever(reader.ledger, report))
                yield
                reporting.cancel()
            # Once the reader is closed, the last comparisons have been counted.
            reader.ledger.append_to(report)

    app = FastAPI(title="Search", lifespan=lifespan)

    @app.get("/search")
    async def search(q: Annotated[str, Query(min_length=1, max_length=100)]) -> list[Product]:
        """Return products with a word in their titles, the popular ones first."""
        found = await asyncio.to_thread(_find, settings, q)
        scores = await _scores(readers[0], list(found))
        products = [
            Product(product_id=p, title=found[p], popularity_score=scores[p]) for p in found
        ]
        return sorted(products, key=lambda product: -(product.popularity_score or 0.0))

    return app


def _find(settings: Settings, words: str) -> dict[str, str]:
    with connect(settings) as connection:
        return dict(connection.execute(_FIND, (words, _MOST_FOUND)).fetchall())


async def _scores(
    reader: AsyncMigratingReader, product_ids: Sequence[str]
) -> dict[str, float | None]:
    try:
        rows = await reader.batch_get_features(product_ids, [POPULARITY])
    except ClientError as error:  # in the last mode; what was found is worth more than its order
        _log.warning("products are not sorted: %s", error)
        return dict.fromkeys(product_ids)
    values = {product_id: row[POPULARITY] for product_id, row in rows.items()}
    return {p: value if isinstance(value, (int, float)) else None for p, value in values.items()}


async def _report_forever(ledger: ParityLedger, report: Path) -> None:
    while True:
        await asyncio.sleep(_REPORT_SECONDS)
        await asyncio.to_thread(ledger.append_to, report)
