"""The SQL that reads a feature version's values from the offline tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feature_repo.registry.metadata import FeatureType, FeatureVersion

# `#>> '{}'` gives a JSON string's bare text. Feast can't read jsonb columns, so maps stay text.
_VALUE_EXPRESSIONS = {
    FeatureType.FLOAT: "feature_value::float8",
    FeatureType.STRING: "feature_value #>> '{}'",
    FeatureType.VECTOR: "ARRAY(SELECT jsonb_array_elements(feature_value)::float4)",
    FeatureType.MAP: "feature_value::text",
}

# Vectors and maps travel as JSON text, and are parsed once the few that count are found. Numbers
# do, too: Arrow reads them faster than PostgreSQL makes doubles of them, and `#>>` gives their text
# faster than a cast.
_TRANSPORTED_VALUES = {
    FeatureType.FLOAT: "feature_value #>> '{}'",
    FeatureType.STRING: "feature_value #>> '{}'",
    FeatureType.VECTOR: "feature_value::text",
    FeatureType.MAP: "feature_value::text",
}

# $1 is a feature's name, $2 its version, $3 an array of entity ids.
LATEST_VALUES = """
SELECT entity_id, feature_value::text FROM feature_latest
WHERE feature_name = $1 AND version = $2 AND entity_id = ANY($3::text[])
"""


def feature_view_query(feature: FeatureVersion) -> str:
    """
    Return the query of a feature version's values, current and historical.

    Its columns are the join keys, the feature, `event_timestamp` and `created_at`. A row that is in
    both tables comes twice, with the same values. Names and versions can't hold a quote: their
    patterns in the metadata see to it.
    """
    columns = [
        *_join_key_columns(feature),
        f"{_VALUE_EXPRESSIONS[feature.feature_type]} AS {feature.feature_name}",
        '"timestamp" AS event_timestamp',
        "created_at",
    ]
    select = "SELECT " + ", ".join(columns)
    where = _of_version(feature)
    return f"{select} FROM feature_values {where} UNION ALL {select} FROM feature_latest {where}"


def known_values_query(feature: FeatureVersion, *, as_of: datetime) -> str:
    """
    Return the query of each entity's value as it was known at an instant.

    That is the newest at or before `as_of` and no older than the look-back, as a point-in-time join
    finds it. Columns are entity_id, the join keys, feature_value in the feature's type (a map as
    JSON text) and timestamp.
    """
    until, since = as_of.isoformat(), (as_of - feature.look_back).isoformat()
    where = f"{_of_version(feature)} AND \"timestamp\" <= '{until}' AND \"timestamp\" >= '{since}'"
    select = 'SELECT entity_id, feature_value, "timestamp"'
    rows = f"{select} FROM feature_values {where} UNION ALL {select} FROM feature_latest {where}"
    columns = [
        "entity_id",
        *_join_key_columns(feature),
        f"{_VALUE_EXPRESSIONS[feature.feature_type]} AS feature_value",
        '"timestamp"',
    ]
    newest = "SELECT DISTINCT ON (entity_id) " + ", ".join(columns)
    return f'{newest} FROM ({rows}) AS known ORDER BY entity_id, "timestamp" DESC'


@dataclass(frozen=True)
class Slice:
    """
    Which stored values a point-in-time join may need of a feature version.

    Attributes:
        feature: Whose values.
        start: The first event timestamp that counts.
        end: The last one.
        known_at: Nothing created after this instant counts; None: all that is known now counts.
        entity_table: Table of the only entity_ids that count; None: all count.
        with_created: Whether it matters when each value was written.
    """

    feature: FeatureVersion
    start: datetime
    end: datetime
    known_at: datetime | None = None
    entity_table: str | None = None
    with_created: bool = False


def history_query(wanted: Slice, *, known_then: bool) -> str:
    """
    Return the query of what the history says, or said.

    Args:
        wanted: Which values.
        known_then: All that it ever said, up to `known_at`; else only what it said then.

    Returns:
        SQL of entity_id, value (all but strings as JSON text), timestamp, and, if it matters,
        created.
    """
    kept = _slice_query("feature_values", wanted)
    if wanted.known_at is None and not known_then:
        return kept
    replaced = _slice_query("replaced_values", wanted)
    if wanted.known_at is not None and not known_then:
        replaced += f" AND replaced_at > '{wanted.known_at.isoformat()}'"
    return f"{kept} UNION ALL {replaced}"


def latest_query(wanted: Slice) -> str:
    """Return the query of the latest values, in the columns of `history_query`."""
    return _slice_query("feature_latest", wanted)


def count_latest_query(feature: FeatureVersion, *, limit: int) -> str:
    """Return the query of how many entities have a value, no more than a limit."""
    known = f"SELECT FROM feature_latest {_of_version(feature)} LIMIT {limit}"
    return f"SELECT count(*) FROM ({known}) AS known"  # noqa: S608 - our own SQL


def stored_instants_query(
    features: Sequence[FeatureVersion], *, start: datetime, end: datetime
) -> str:
    """
    Return the query of the entities and instants for which a value is stored.

    Args:
        features: Of one entity; a value of any of them counts.
        start: First instant.
        end: Last one.

    Returns:
        SQL of event_timestamp and the join keys, each once, in order.
    """
    columns = ", ".join(("event_timestamp", *features[0].join_keys))
    where = f"event_timestamp BETWEEN '{start.isoformat()}' AND '{end.isoformat()}'"
    selects = [
        f"SELECT {columns} FROM ({feature_view_query(feature)}) AS stored WHERE {where}"  # noqa: S608 - our own SQL
        for feature in features
    ]
    return " UNION ".join(selects) + f" ORDER BY {columns}"


def _slice_query(table: str, wanted: Slice) -> str:
    value = _TRANSPORTED_VALUES[wanted.feature.feature_type]
    conditions = [
        _of_version(wanted.feature),
        f"\"timestamp\" BETWEEN '{wanted.start.isoformat()}' AND '{wanted.end.isoformat()}'",
    ]
    if wanted.known_at is not None:
        conditions.append(f"created_at <= '{wanted.known_at.isoformat()}'")
    if wanted.entity_table is not None:
        conditions.append(f"entity_id IN (SELECT entity_id FROM {wanted.entity_table})")  # noqa: S608 - our names
    columns = f'entity_id, {value} AS value, "timestamp"'
    if wanted.with_created:
        columns += ", created_at AS created"
    return f"SELECT {columns} FROM {table} " + " AND ".join(conditions)  # noqa: S608 - our own SQL


def _of_version(feature: FeatureVersion) -> str:
    return f"WHERE feature_name = '{feature.feature_name}' AND version = '{feature.version}'"


def _join_key_columns(feature: FeatureVersion) -> list[str]:
    return [
        f"{_join_key_expression(position)} AS {join_key}"
        for position, join_key in enumerate(feature.join_keys, start=1)
    ]


def _join_key_expression(position: int) -> str:
    part = f"split_part(entity_id, ':', {position})"
    return f"replace(replace({part}, '%3A', ':'), '%25', '%')"
