"""
What OpenLineage's specification (2-0-2) demands of a run event, and of the facets that we send.

Stricter than it in one thing: a facet that is not here is refused, so that a new one is added here.
"""

from typing import Any

_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_SOURCE = {"source": _TEXT}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


def _facet(
    name: str, required: dict[str, Any], optional: dict[str, Any] | None = None
) -> dict[str, Any]:
    pattern = rf"^https://openlineage\.io/spec/facets/\d+-\d+-\d+/{name}\.json#/\$defs/{name}$"
    base = {
        "_producer": {"type": "string", "format": "uri"},
        "_schemaURL": {"type": "string", "format": "uri", "pattern": pattern},
    }
    return _object(base | required, optional)


def _facets(**known: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": known, "additionalProperties": False}


_RUN_FACETS = _facets(
    nominalTime=_facet(
        "NominalTimeRunFacet",
        {"nominalStartTime": {"type": "string", "format": "date-time"}},
        {"nominalEndTime": {"type": "string", "format": "date-time"}},
    ),
    errorMessage=_facet(
        "ErrorMessageRunFacet",
        {"message": _TEXT, "programmingLanguage": _TEXT},
        {"stackTrace": _TEXT},
    ),
    # The client adds its own version.
    tags=_facet(
        "TagsRunFacet",
        {},
        {"tags": {"type": "array", "items": _object({"key": _TEXT, "value": _TEXT}, _SOURCE)}},
    ),
)
_SCHEMA_FIELD = _object(
    {"name": _TEXT}, {"type": _TEXT, "description": _TEXT, "fields": {"type": "array"}}
)
_INPUT_FIELD = _object(
    {"namespace": _TEXT, "name": _TEXT, "field": _TEXT}, {"transformations": {"type": "array"}}
)
_DATASET_FACETS = _facets(
    schema=_facet("SchemaDatasetFacet", {}, {"fields": {"type": "array", "items": _SCHEMA_FIELD}}),
    columnLineage=_facet(
        "ColumnLineageDatasetFacet",
        {
            "fields": {
                "type": "object",
                "additionalProperties": _object(
                    {"inputFields": {"type": "array", "items": _INPUT_FIELD}},
                    {"transformationDescription": _TEXT, "transformationType": _TEXT},
                ),
            }
        },
        {"dataset": {"type": "array", "items": _INPUT_FIELD}},
    ),
)
_OUTPUT_FACETS = _facets(
    outputStatistics=_facet(
        "OutputStatisticsOutputDatasetFacet",
        {},
        {"rowCount": _COUNT, "size": _COUNT, "fileCount": _COUNT},
    )
)
_NAMED = {"namespace": _TEXT, "name": _TEXT}

RUN_EVENT = _object(
    {
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string", "format": "uri"},
        "schemaURL": {
            "type": "string",
            "format": "uri",
            "pattern": r"^https://openlineage\.io/spec/2-0-2/OpenLineage\.json#/\$defs/RunEvent$",
        },
        "run": _object({"runId": {"type": "string", "format": "uuid"}}, {"facets": _RUN_FACETS}),
        "job": _object(_NAMED, {"facets": _facets()}),
    },
    {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "inputs": {
            "type": "array",
            "items": _object(_NAMED, {"facets": _DATASET_FACETS, "inputFacets": _facets()}),
        },
        "outputs": {
            "type": "array",
            "items": _object(_NAMED, {"facets": _DATASET_FACETS, "outputFacets": _OUTPUT_FACETS}),
        },
    },
)
