"""What is wrong with a request."""

from pydantic import BaseModel, Field


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str = Field(examples=["entity_ids.0"])
    message: str = Field(examples=["Input should be a valid string"])


class Problem(BaseModel):
    """What is wrong with a request, and what to change (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Unknown feature"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["feature 'popularity' does not exist"])
    hint: str = Field(examples=["Deployed features: popularity_score."])
    errors: list[FieldError] = Field(
        default_factory=list, description="Of a malformed body, the first wrong fields."
    )
