"""What a training set is made of, so that it can be made again and held against another."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer, ValidationError

from feature_repo.training.leakage import Report
from foundation.errors import ContractViolation

FORMAT = 2

# As ISO 8601 with its offset, whatever wrote it.
Instant = Annotated[AwareDatetime, PlainSerializer(datetime.isoformat)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FeatureRecord(_Record):
    """
    One feature of a training set.

    Attributes:
        reference: Feature version.
        column: Name of its column.
        code_fingerprint: Of the code that computed it when the set was built.
        null_count: Rows without a value.
        null_rate: Their share.
        computed_count: Values that were computed because none was stored.
        values_read: Stored values that any row might have got.
        newest_event_timestamp: Of those values; None if there were none.
        newest_created_at: When the last of them was written.
        sha256: Digest of the column; equal digests, equal values.
    """

    reference: str
    column: str
    code_fingerprint: str
    null_count: int
    null_rate: float
    computed_count: int
    values_read: int
    newest_event_timestamp: Instant | None
    newest_created_at: Instant | None
    sha256: str


class FileRecord(_Record):
    """A file of a training set: its name, its size in rows and bytes, its digest."""

    path: str
    row_count: int
    byte_count: int
    sha256: str


class Manifest(_Record):
    """
    A training set, apart from its rows.

    Attributes:
        known_at: Nothing counts that was created after this instant.
        known_then: Whether nothing counts, either, that was created after the row's own timestamp.
        entity_columns: Columns that were given.
        timestamp_column: Which of them says as of when.
        labels: Which of them are to be predicted.
        first_timestamp: Of the rows; None if there are none.
        last_timestamp: The same.
        features: In the order of their columns.
        file: The rows.
        leakage: What may tell the model what it could not have known.
        environment: Versions of Python and of the packages that matter.
    """

    known_at: Instant
    known_then: bool
    entity_columns: Sequence[str]
    timestamp_column: str
    labels: Sequence[str]
    first_timestamp: Instant | None
    last_timestamp: Instant | None
    features: Sequence[FeatureRecord]
    file: FileRecord
    leakage: Report
    environment: Mapping[str, str]

    @property
    def columns(self) -> list[str]:
        """Names of the columns of the rows."""
        return [*self.entity_columns, *(feature.column for feature in self.features)]

    def to_json(self) -> str:
        """Return the manifest's text; the same training set, the same text."""
        return json.dumps({"format": FORMAT, **self.model_dump()}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str) -> "Manifest":
        """
        Return what `to_json` gave.

        Raises:
            ContractViolation: The text is no manifest of this format; the message says why not.
        """
        try:
            record = json.loads(text)
            if record.pop("format") != FORMAT:
                raise ContractViolation(
                    f"{where}: is not of format {FORMAT}",
                    hint="Another version of this project wrote it.",
                )
            return cls.model_validate(record)
        except ValidationError as error:
            detail = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(map(str, detail["loc"]))
            raise ContractViolation(f"{where}, {field}: {detail['msg']}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ContractViolation(f"{where}: no manifest of a training set: {error}") from error
