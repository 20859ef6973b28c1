"""Publish what passed the gate: to PostgreSQL in one transaction, then to Redis."""

import hashlib
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.stores import offline_values, redis_values
from foundation import clock
from foundation.postgres import Connection
from foundation.redis import connect
from foundation.settings import Settings
from transformations import past_runs, runs
from transformations.jobs import Job
from transformations.on_demand import is_combined

_ROWS_PER_DIGEST = 100_000


def write_offline(
    connection: Connection,
    run: runs.Run,
    rows: Mapping[str, pa.Table],
    *,
    entity_ids: pa.Array | None,
    append_history: bool | None,
) -> dict[str, offline_values.WrittenRows]:
    """
    Write the values of a run to PostgreSQL, all or none, and record it.

    Args:
        connection: Outside a transaction.
        run: Whose values they are.
        rows: By reference: entity_id, feature_value as JSON text, timestamp.
        entity_ids: Write values of these entities only; None: of all.
        append_history: Whether they go to the history; None: once in each history interval.

    Returns:
        How many rows changed, by reference.
    """
    written = {}
    with connection.transaction():
        for feature in run.job.features:
            all_rows = rows[feature.reference]
            written[feature.reference] = offline_values.write_values(
                connection,
                feature,
                _of_entities(all_rows, entity_ids),
                as_of=run.as_of,
                append_history=past_runs.belongs_to_history(connection, feature, run.as_of)
                if append_history is None
                else append_history,
            )
            if entity_ids is None and not run.backfill and is_combined(feature):
                # What requests had computed from values that are replaced now is computed anew.
                offline_values.remove_older(connection, feature, than=run.as_of)
            runs.record_written(
                connection,
                run,
                feature,
                row_count=all_rows.num_rows,
                latest=written[feature.reference].latest,
                history=written[feature.reference].history,
                checksum=checksum(all_rows),
            )
    return written


def write_online(
    settings: Settings, job: Job, rows: Mapping[str, pa.Table], *, entity_ids: pa.Array | None
) -> dict[str, int]:
    """
    Write the values of a run to Redis, as far as they are fresh.

    Returns:
        How many values Redis took, by reference.
    """
    client = connect(settings)
    try:
        return {
            feature.reference: redis_values.write_values(
                client,
                feature,
                _of_entities(rows[feature.reference], entity_ids),
                now=clock.now(),
            )
            for feature in job.features
        }
    finally:
        client.close()


def checksum(rows: pa.Table) -> str:
    """
    Return a digest of entity ids and values; equal values, equal digest.

    Args:
        rows: Ordered by entity id.
    """
    digest = hashlib.sha256()
    for start in range(0, rows.num_rows, _ROWS_PER_DIGEST):
        part = rows.slice(start, _ROWS_PER_DIGEST).select(["entity_id", "feature_value"])
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, part.schema) as stream:
            stream.write_table(part.combine_chunks())
        digest.update(sink.getvalue())
    return digest.hexdigest()


def _of_entities(rows: pa.Table, entity_ids: pa.Array | None) -> pa.Table:
    if entity_ids is None:
        return rows
    return rows.filter(pc.is_in(rows["entity_id"], value_set=entity_ids))
