"""The SQL that reads a feature version's values from the offline tables."""

from datetime import datetime

from feature_repo.registry.metadata import FeatureType, FeatureVersion

# `#>> '{}'` gives a JSON string's bare text. Feast can't read jsonb columns, so maps stay text.
_VALUE_EXPRESSIONS = {
    FeatureType.FLOAT: "feature_value::float8",
    FeatureType.STRING: "feature_value #>> '{}'",
    FeatureType.VECTOR: "ARRAY(SELECT jsonb_array_elements(feature_value)::float4)",
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
