"""The SQL through which Feast reads a feature version's values from the offline tables."""

from feature_repo.registry.metadata import FeatureType, FeatureVersion

# `#>> '{}'` gives a JSON string's bare text. Feast can't read jsonb columns, so maps stay text.
_VALUE_EXPRESSIONS = {
    FeatureType.FLOAT: "feature_value::float8",
    FeatureType.STRING: "feature_value #>> '{}'",
    FeatureType.VECTOR: "ARRAY(SELECT jsonb_array_elements(feature_value)::float4)",
    FeatureType.MAP: "feature_value::text",
}


def feature_view_query(feature: FeatureVersion) -> str:
    """
    Return the query of a feature version's values, current and historical.

    Its columns are the join keys, the feature, `event_timestamp` and `created_at`. A row that is in
    both tables comes twice, with the same values. Names and versions can't hold a quote: their
    patterns in the metadata see to it.
    """
    columns = [
        *(
            f"{_join_key_expression(position)} AS {join_key}"
            for position, join_key in enumerate(feature.join_keys, start=1)
        ),
        f"{_VALUE_EXPRESSIONS[feature.feature_type]} AS {feature.feature_name}",
        '"timestamp" AS event_timestamp',
        "created_at",
    ]
    select = "SELECT " + ", ".join(columns)
    where = f"WHERE feature_name = '{feature.feature_name}' AND version = '{feature.version}'"
    return f"{select} FROM feature_values {where} UNION ALL {select} FROM feature_latest {where}"


def _join_key_expression(position: int) -> str:
    part = f"split_part(entity_id, ':', {position})"
    return f"replace(replace({part}, '%3A', ':'), '%25', '%')"
