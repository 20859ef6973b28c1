"""How computations went, for the routes of the catalog; nothing if PostgreSQL can't be asked."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import structlog
from psycopg.rows import dict_row

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.run_facts import (
    LAST_PUBLISHED,
    LAST_RUNS,
    RunFacts,
    last_runs_parameters,
    run_facts,
)
from foundation.postgres import Pool

_log = structlog.get_logger()


async def read_last_runs(pool: Pool, features: Sequence[FeatureVersion]) -> RunFacts:
    """Return the last few runs by reference, newest first."""
    rows = await _rows(pool, LAST_RUNS, last_runs_parameters(features))
    return {} if rows is None else run_facts(features, rows)


async def read_last_published(
    pool: Pool, features: Sequence[FeatureVersion]
) -> Mapping[str, Mapping[str, Any]]:
    """Return, by reference, the last run whose values were published: see `LAST_PUBLISHED`."""
    rows = await _rows(pool, LAST_PUBLISHED, last_runs_parameters(features))
    return {row["reference"]: row for row in rows or ()}


async def _rows(
    pool: Pool, statement: str, parameters: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]] | None:
    try:
        # Within the limits of the pool: a statement that takes too long is cancelled, not left.
        async with (
            pool.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(statement, parameters)
            return await cursor.fetchall()
    except psycopg.Error as error:
        _log.warning("run_history_not_read", error=str(error))
        return None
