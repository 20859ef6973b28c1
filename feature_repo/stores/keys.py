"""
Entity ids and Redis keys.

An entity id is the entity's join key values in declared order, each escaped, joined by `:`.
Escaping only `%` and `:` keeps ordinary ids readable and makes the joined form unambiguous, so that
no id can imitate another entity's key, whatever it contains.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from foundation.redis_commands import Keys

SEPARATOR = ":"


def escape(part: str) -> str:
    """Escape one join key value."""
    return part.replace("%", "%25").replace(SEPARATOR, "%3A")


def entity_id(join_key_values: Sequence[str]) -> str:
    """Return the entity id of join key values given in declared order."""
    return SEPARATOR.join(map(escape, join_key_values))


def entity_ids(columns: Sequence[pa.ChunkedArray | pa.Array]) -> pa.ChunkedArray | pa.Array:
    """
    Return the entity ids of join key columns given in declared order.

    Args:
        columns: string columns of one length; a row with a null in any of them has a null id.
    """
    escaped = [
        pc.replace_substring(pc.replace_substring(column, "%", "%25"), SEPARATOR, "%3A")
        for column in columns
    ]
    return escaped[0] if len(escaped) == 1 else pc.binary_join_element_wise(*escaped, SEPARATOR)


def key_values(entity_id: str) -> list[str]:
    """Return the join key values of an entity id: the inverse of `entity_id`."""
    return [
        part.replace("%3A", SEPARATOR).replace("%25", "%") for part in entity_id.split(SEPARATOR)
    ]


def key_columns(entity_ids: pa.ChunkedArray, count: int) -> list[pa.ChunkedArray]:
    """
    Return the join key columns of entity ids: the inverse of `entity_ids`.

    Args:
        entity_ids: None is null.
        count: Of join keys.
    """
    parts = pc.split_pattern(entity_ids, SEPARATOR)
    escaped = [pc.list_element(parts, place) for place in range(count)]
    return [
        pc.replace_substring(pc.replace_substring(part, "%3A", SEPARATOR), "%25", "%")
        for part in escaped
    ]


def key_parts(feature_name: str, version: str) -> tuple[str, str]:
    """Return what stands before and after the entity id in the keys of a feature version."""
    return f"feature:{feature_name}:", f":v{version}"


def keys_of(feature_name: str, version: str, entity_ids: Sequence[str]) -> Keys:
    """Return the Redis keys of values: `feature:popularity_score:prod_123:v1.0.0`."""
    prefix, suffix = key_parts(feature_name, version)
    return Keys(prefix, entity_ids, suffix)


def redis_keys(feature_name: str, version: str, entity_ids: Sequence[str]) -> list[str]:
    """Return the Redis keys of values, spelt out."""
    return keys_of(feature_name, version, entity_ids).spelt_out()
