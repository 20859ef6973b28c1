"""How the gateway is."""

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The process is alive."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """Whether values can be served, and by what."""

    ready: bool = Field(
        examples=[True],
        description="Whether the catalog and the API keys have been read, and the gateway is not "
        "about to stop; 503 otherwise.",
    )
    online: bool = Field(
        examples=[True], description="Whether Redis answers; without it, PostgreSQL does."
    )
