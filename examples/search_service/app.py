"""The service: finds products by words of their titles, the popular ones first."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import yaml
from fastapi import FastAPI, Query

from examples.search_service.popularity import popularity_of_events
from foundation.postgres import connect
from foundation.settings import Settings
from serving_gateway.client import FeatureStoreClient, MigratingReader, Mode, ParityLedger

POPULARITY = "popularity_score"
_MOST_FOUND = 200
_FIND = """
SELECT product_id, title FROM products WHERE title ILIKE '%%' || %s || '%%'
ORDER BY product_id LIMIT %s
"""


def modes_of(file: Path) -> Callable[[str], Mode]:
    """Return a function that reads the file at each call: a changed mode counts at once."""

    def mode(feature_name: str) -> Mode:
        modes = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        return Mode(modes.get(feature_name, Mode.INLINE))

    return mode


def create_app(
    settings: Settings, store: FeatureStoreClient, *, modes: Path, ledger: ParityLedger
) -> FastAPI:
    """
    Return the service.

    Args:
        settings: Say where its own tables are.
        store: Client of the gateway.
        modes: YAML file: how far each feature has come.
        ledger: Counts how inline computation and the store compare.
    """
    app = FastAPI(title="Search")
    reader = MigratingReader(
        store,
        inline={POPULARITY: popularity_of_events(settings)},
        mode=modes_of(modes),
        ledger=ledger,
    )

    @app.get("/search")
    def search(q: Annotated[str, Query(min_length=1, max_length=100)]) -> list[dict[str, object]]:
        """Return products with a word in their titles, the popular ones first."""
        with connect(settings) as connection:
            found = dict(connection.execute(_FIND, (q, _MOST_FOUND)).fetchall())
        if not found:
            return []
        values = reader.batch_get_features(list(found), [POPULARITY])
        scores = {product_id: float(str(row[POPULARITY])) for product_id, row in values.items()}
        return [
            {"product_id": product_id, "title": found[product_id], POPULARITY: score}
            for product_id, score in sorted(scores.items(), key=lambda each: -each[1])
        ]

    return app
