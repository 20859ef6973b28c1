"""The ASOF join: of each entity row, the newest value that counts for it. Nothing here reads."""

from dataclasses import dataclass
from datetime import timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.history.entity_rows import INSTANT
from feature_repo.history.scratch import query

_MICROSECOND = timedelta(microseconds=1)

# Both sides: entity int32, and instants as microseconds int64, which compare without time zones.
_NEWEST = """
SELECT rows."row", found.value, found."timestamp"
FROM entity_rows AS rows ASOF JOIN {values} AS found
ON rows.entity = found.entity AND rows."at" >= found.known
WHERE found."timestamp" >= rows."at" - $look_back
"""
_EACH_AT_ITS_TIMESTAMP = """
(SELECT entity, value, "timestamp", "timestamp" AS known FROM candidates)
"""
# A value counts from when both it is about and it was written. Of those that begin to count
# together the newest is kept, and of those only what is no older than what counted before: the last
# one that counts is then the newest one that counts.
_EACH_WHEN_KNOWN = """
(WITH counted AS (
    SELECT *, greatest("timestamp", created) AS known FROM candidates
), together AS (
    SELECT * FROM counted QUALIFY row_number()
    OVER (PARTITION BY entity, known ORDER BY "timestamp" DESC, created DESC) = 1
)
SELECT entity, value, "timestamp", known FROM together
QUALIFY "timestamp" >= coalesce(max("timestamp") OVER (
    PARTITION BY entity ORDER BY known ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), -2^63))
"""


@dataclass(frozen=True)
class Found:
    """
    What was found for entity rows.

    Attributes:
        values: One a row; null where nothing was found.
        timestamps: Event timestamps of the values; null likewise.
    """

    values: pa.Array
    timestamps: pa.Array


class AsofJoin:
    """
    Joins values to one set of entity rows after the other.

    Args:
        connection: To DuckDB.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def newest(
        self,
        codes: pa.Array,
        instants: pa.Array,
        candidates: pa.Table,
        *,
        look_back: timedelta,
        known_then: bool,
    ) -> Found:
        """
        Find the newest value of each row's entity that is not from after the row's instant.

        Args:
            codes: Of each row, its entity's code, int32; null: nothing is found.
            instants: Of each row; null: nothing is found.
            candidates: entity int32, value, timestamp, and, for known_then, created; no two of an
                entity and timestamp, unless created differs.
            look_back: How much older than the row a value may be; exactly so old still counts.
            known_then: Whether a value counts only from when it was created.

        Raises:
            ConfigurationError: DuckDB needs more memory than it may take.
        """
        asked = pc.and_(codes.is_valid(), instants.is_valid())
        places = pa.array(np.arange(len(codes), dtype=np.int64)).filter(asked)
        entity_rows = pa.table(
            {
                "row": places,
                "entity": codes.filter(asked),
                "at": instants.filter(asked).cast(pa.int64()),
            }
        )
        columns = {"timestamp", "created"} & set(candidates.column_names)
        for name in columns:
            place = candidates.schema.get_field_index(name)
            candidates = candidates.set_column(place, name, candidates[name].cast(pa.int64()))
        values = _EACH_WHEN_KNOWN if known_then else _EACH_AT_ITS_TIMESTAMP
        rows = query(
            self._connection,
            _NEWEST.format(values=values),
            {"look_back": look_back // _MICROSECOND},
            entity_rows=entity_rows,
            candidates=candidates,
        )
        return _in_order(rows.combine_chunks(), len(codes))


def newer(first: Found, second: Found) -> Found:
    """Return of each row the newer of two values, the second if they are of one timestamp."""
    takes_second = pc.fill_null(
        pc.greater_equal(second.timestamps, first.timestamps), second.timestamps.is_valid()
    )
    takes_second = pc.and_(takes_second, second.timestamps.is_valid())
    return Found(
        values=pc.if_else(takes_second, second.values, first.values),
        timestamps=pc.if_else(takes_second, second.timestamps, first.timestamps),
    )


def _in_order(rows: pa.Table, count: int) -> Found:
    """Return what was found at the places of the rows that it was found for."""
    source = np.full(count, -1, np.int64)
    source[rows["row"].to_numpy()] = np.arange(rows.num_rows)
    indices = pa.array(source, mask=source < 0)
    values = pa.concat_arrays(rows["value"].chunks or [pa.array([], rows["value"].type)])
    timestamps = pa.concat_arrays(rows["timestamp"].chunks or [pa.array([], pa.int64())])
    return Found(values.take(indices), timestamps.take(indices).cast(INSTANT))
