"""The bodies of Feast's own route, as `feast serve` takes and gives them."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from serving_gateway.api.models.fields import Value
from serving_gateway.feast_plan import EntityValue

_SCALARS = {str, int, float, bool, type(None)}


def _check_values(values: list[Any]) -> list[EntityValue]:
    # A union for each value would take pydantic longer than all else that it does here.
    types = set(map(type, values))
    if types - _SCALARS:
        raise ValueError("a value is no text, number or boolean")
    if float in types and not all(map(math.isfinite, filter(_is_number, values))):
        raise ValueError("a number is not finite")
    return values


def _is_number(value: object) -> bool:
    return isinstance(value, float)


EntityValues = Annotated[
    list[Any],
    AfterValidator(_check_values),
    WithJsonSchema(
        {
            "type": "array",
            "minItems": 1,
            "items": {"type": ["string", "number", "boolean", "null"]},
        }
    ),
]


class FeastRequest(BaseModel):
    """
    Features of rows of entities.

    Fields that we don't know are passed over, as Feast does: its clients may learn new ones.
    """

    entities: dict[str, EntityValues] = Field(
        description="Values by join key; those of one row stand at one place of every list."
    )
    features: list[str] = Field(
        default_factory=list,
        description="References `view:feature`; a view's name ends with the feature's version.",
    )
    feature_service: str | None = Field(
        default=None, description="Whose features to read instead.", examples=["ranking_v1"]
    )
    full_feature_names: bool = Field(
        default=False, description="Whether the answer calls a feature `view__feature`."
    )
    include_feature_view_version_metadata: bool = Field(
        default=False, description="Whether the answer lists the feature views."
    )


class FeastResult(BaseModel):
    """One column of the answer, a row's value at its place."""

    values: list[Value | bool | int] = Field(description="Null where there is none.")
    statuses: list[Literal["PRESENT", "NOT_FOUND", "OUTSIDE_MAX_AGE"]] = Field(
        description="OUTSIDE_MAX_AGE: the value is stale."
    )
    event_timestamps: list[str] = Field(description="1970 where there is none.")


class FeastView(BaseModel):
    """A feature view."""

    name: str = Field(examples=["popularity_score_v1_0_0"])


class FeastMetadata(BaseModel):
    """What the columns of the answer are."""

    feature_names: list[str] = Field(description="Join keys first, then the features.")
    feature_view_metadata: list[FeastView] | None = Field(default=None, description="If asked for.")


class FeastResponse(BaseModel):
    """The answer of `feast serve`, by column."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "metadata": {"feature_names": ["product_id", "popularity_score"]},
                    "results": [
                        {
                            "values": ["prod_123", "prod_456"],
                            "statuses": ["PRESENT", "PRESENT"],
                            "event_timestamps": ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"],
                        },
                        {
                            "values": [0.87, None],
                            "statuses": ["PRESENT", "NOT_FOUND"],
                            "event_timestamps": [
                                "2026-11-23T10:05:00.000Z",
                                "1970-01-01T00:00:00Z",
                            ],
                        },
                    ],
                }
            ]
        }
    )

    metadata: FeastMetadata
    results: list[FeastResult]
