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

# $1 is a feature's name, $2 its version, $3 an array of entity ids; older ones than $4 don't count.
LATEST_VALUES = """
SELECT entity_id, feature_value::text, "timestamp" FROM feature_latest
WHERE feature_name = $1 AND version = $2 AND entity_id = ANY($3::text[]) AND "timestamp" >= $4
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


def dropped_table(feature: FeatureVersion) -> str:
    """
    Return the name of a table of values that the history has no more; see `known_values_query`.

    Its columns are entity_id, feature_value as JSON text, timestamp, and place: of one timestamp
    the greatest place counts, unless the history has a value.
    """
    return f"dropped_{feature.view_name}"


def known_values_query(
    feature: FeatureVersion, *, as_of: datetime, with_dropped: bool = False
) -> str:
    """
    Return the query of each entity's value as it was known at an instant.

    Args:
        feature: Whose values.
        as_of: The newest at or before it counts, if it is no older than the look-back, as a
            point-in-time join finds it.
        with_dropped: Whether there is a `dropped_table`, of this look-back.

    Returns:
        SQL of entity_id, the join keys, feature_value in the feature's type (a map as JSON text)
        and timestamp, in the order of entity_id.
    """
    until, since = as_of.isoformat(), (as_of - feature.look_back).isoformat()
    where = f"{_of_version(feature)} AND \"timestamp\" <= '{until}' AND \"timestamp\" >= '{since}'"
    select = 'SELECT entity_id, feature_value, "timestamp"'
    rows = f"{select} FROM feature_values {where} UNION ALL {select} FROM feature_latest {where}"
    order = 'entity_id, "timestamp" DESC'
    if with_dropped:
        dropped = 'SELECT entity_id, feature_value::jsonb, "timestamp", place FROM '
        dropped += dropped_table(feature)
        rows = f"SELECT *, NULL AS place FROM ({rows}) AS kept UNION ALL {dropped}"  # noqa: S608 - our own SQL
        order += ", place DESC NULLS FIRST"
    columns = [
        "entity_id",
        *_join_key_columns(feature),
        f"{_VALUE_EXPRESSIONS[feature.feature_type]} AS feature_value",
        '"timestamp"',
    ]
    newest = "SELECT DISTINCT ON (entity_id) " + ", ".join(columns)
    return f"{newest} FROM ({rows}) AS known ORDER BY {order}"


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


def versions_query(wanted: Slice) -> str:
    """
    Return the query of all that the history ever said, and until when.

    Args:
        wanted: Which values.

    Returns:
        SQL of entity_id, value (all but strings as JSON text), timestamp, created and replaced,
        which is null of what it says now.
    """
    kept = _slice_query("feature_values", wanted, replaced="NULL::timestamptz")
    return f"{kept} UNION ALL {_slice_query('replaced_values', wanted, replaced='replaced_at')}"


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
    Return the query of the entities and instants for which PostgreSQL has a value.

    Args:
        features: A value of any of them counts.
        start: First instant.
        end: Last one.

    Returns:
        SQL of entity_id and timestamp, each once.
    """
    wanted = [Slice(feature, start, end) for feature in features]
    return " UNION ".join(
        f'SELECT entity_id, "timestamp" FROM {table} {_conditions(each)}'  # noqa: S608 - our own SQL
        for each in wanted
        for table in ("feature_values", "feature_latest")
    )


def _slice_query(table: str, wanted: Slice, *, replaced: str = "") -> str:
    value = _TRANSPORTED_VALUES[wanted.feature.feature_type]
    columns = f'entity_id, {value} AS value, "timestamp"'
    if wanted.with_created:
        columns += ", created_at AS created"
    if replaced:
        columns += f", {replaced} AS replaced"
    return f"SELECT {columns} FROM {table} {_conditions(wanted)}"  # noqa: S608 - our own SQL


def _conditions(wanted: Slice) -> str:
    conditions = [
        _of_version(wanted.feature),
        f"\"timestamp\" BETWEEN '{wanted.start.isoformat()}' AND '{wanted.end.isoformat()}'",
    ]
    if wanted.known_at is not None:
        conditions.append(f"created_at <= '{wanted.known_at.isoformat()}'")
    if wanted.entity_table is not None:
        conditions.append(f"entity_id IN (SELECT entity_id FROM {wanted.entity_table})")  # noqa: S608 - our names
    return " AND ".join(conditions)


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
