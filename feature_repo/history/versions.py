"""
All that was ever said of entities and timestamps, and what of it counts. No store is read here.

What a version says counts from when it was created until it was replaced.
"""

import tempfile
from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.history.entity_rows import INSTANT
from feature_repo.history.terms import Terms
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES
from foundation.errors import ConfigurationError

_PLAIN = (FeatureType.FLOAT, FeatureType.STRING)

# A month that was dropped knows nothing of what is written into it afterwards. So the same value,
# written again, looks like another one, and what was replaced since looks as if it counted still.
# One that was created after what replaced it never counted: transactions don't end in the order of
# their start. Only what was written about again needs all this.
_ONE_STORY = """
WITH again AS (
    SELECT DISTINCT entity_id, "timestamp" FROM versions WHERE place > 0
), changes AS (
    SELECT * FROM versions SEMI JOIN again USING (entity_id, "timestamp")
    WINDOW story AS (PARTITION BY entity_id, "timestamp" ORDER BY place, created)
    QUALIFY NOT coalesce(place > lag(place) OVER story
                         AND value IS NOT DISTINCT FROM lag(value) OVER story, false)
), ends AS (
    SELECT * REPLACE (coalesce(replaced, lead(created) OVER story) AS replaced) FROM changes
    WINDOW story AS (PARTITION BY entity_id, "timestamp" ORDER BY place, created)
)
SELECT * EXCLUDE (place) FROM versions ANTI JOIN again USING (entity_id, "timestamp")
UNION ALL
SELECT * EXCLUDE (place) FROM ends WHERE replaced IS NULL OR replaced > created
"""


def versions_schema(feature: FeatureVersion) -> pa.Schema:
    """
    Return the columns of versions.

    Vectors and maps are JSON text; replaced is null of what has not been replaced.
    """
    is_plain = feature.feature_type in _PLAIN
    return pa.schema(
        {
            "entity_id": pa.string(),
            "value": VALUE_TYPES[feature.feature_type] if is_plain else pa.string(),
            "timestamp": INSTANT,
            "created": INSTANT,
            "replaced": INSTANT,
        }
    )


def merged(places: Sequence[pa.Table], *, memory_megabytes: int) -> pa.Table:
    """
    Tell what several places say as one story, as if all had been written to one place.

    Args:
        places: entity_id, value, timestamp, created, replaced; each place was written to after the
            one before it was given up.
        memory_megabytes: Most memory that DuckDB takes.

    Returns:
        The same columns.

    Raises:
        ConfigurationError: DuckDB needs more memory than it may take.
    """
    numbered = pa.concat_tables(
        table.append_column("place", pa.repeat(number, table.num_rows))
        for number, table in enumerate(places)
    )
    with tempfile.TemporaryDirectory(prefix="history-") as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_megabytes}MiB",
            "temp_directory": folder,
        }
        with duckdb.connect(config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("versions", numbered)
            try:
                return connection.execute(_ONE_STORY).to_arrow_table().cast(places[0].schema)
            except duckdb.OutOfMemoryException as error:
                raise ConfigurationError(
                    f"DuckDB: {error}", hint="Raise FEATURE_STORE_DUCKDB_MEMORY_MEGABYTES."
                ) from error


def counting(versions: pa.Table, terms: Terms) -> pa.Table:
    """
    Return the versions that count on terms, as `history_query` finds them.

    Args:
        versions: entity_id, value, timestamp, created, replaced.
        terms: Decide.

    Returns:
        The same columns.
    """
    created, replaced = pc.field("created"), pc.field("replaced")
    if terms.known_at is None:
        return versions if terms.known_then else versions.filter(replaced.is_null())
    known_at = pa.scalar(terms.known_at, versions.schema.field("created").type)
    counts = created <= known_at
    if not terms.known_then:
        counts &= replaced.is_null() | (replaced > known_at)
    return versions.filter(counts)
