"""What a training set is made of, so that it can be made again and held against another."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from foundation.errors import ContractViolation

FORMAT = 1


@dataclass(frozen=True)
class FeatureRecord:
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
        newest_event_timestamp: Of those values, ISO 8601; None if there were none.
        newest_created_at: When the last of them was written.
        sha256: Digest of the column.
    """

    reference: str
    column: str
    code_fingerprint: str
    null_count: int
    null_rate: float
    computed_count: int
    values_read: int
    newest_event_timestamp: str | None
    newest_created_at: str | None
    sha256: str


@dataclass(frozen=True)
class FileRecord:
    """A file of a training set: its name, its size in rows and bytes, its digest."""

    path: str
    row_count: int
    byte_count: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """
    A training set, apart from its rows.

    Attributes:
        known_at: Nothing counts that was created after this instant, ISO 8601.
        entity_columns: Columns that were given.
        timestamp_column: Which of them says as of when.
        labels: Which of them are to be predicted.
        first_timestamp: Of the rows, ISO 8601; None if there are none.
        last_timestamp: The same.
        features: In the order of their columns.
        file: The rows.
        leakage: What may tell the model what it could not have known; see `leakage.Report`.
        environment: Versions of Python and of the packages that matter.
    """

    known_at: str
    entity_columns: Sequence[str]
    timestamp_column: str
    labels: Sequence[str]
    first_timestamp: str | None
    last_timestamp: str | None
    features: Sequence[FeatureRecord]
    file: FileRecord
    leakage: Mapping[str, Any]
    environment: Mapping[str, str]

    def to_json(self) -> str:
        """Return the manifest's text; the same training set, the same text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str) -> "Manifest":
        """
        Return what `to_json` gave.

        Raises:
            ContractViolation: The text is no manifest of this format.
        """
        try:
            record = json.loads(text)
            if record.pop("format") != FORMAT:
                raise ContractViolation(
                    f"{where}: is not of format {FORMAT}",
                    hint="Another version of this project wrote it.",
                )
            features = [FeatureRecord(**each) for each in record.pop("features")]
            return cls(**record | {"features": features, "file": FileRecord(**record["file"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ContractViolation(f"{where}: no manifest of a training set: {error}") from error
