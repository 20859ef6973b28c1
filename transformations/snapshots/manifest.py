"""What a snapshot holds, and where: paths and manifests, as pure values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from foundation.errors import ContractViolation
from transformations.manifests import FileList, manifest_record, manifest_text
from transformations.value_files import ValueFile


@dataclass(frozen=True)
class Manifest(FileList):
    """
    A complete snapshot; without a manifest, files are not one.

    Attributes:
        day: The midnight at whose start the values were known.
        created_at: When it was made.
        files: One a feature version.
    """

    day: date
    created_at: datetime
    files: Sequence[ValueFile]

    def to_json(self) -> str:
        """Return the manifest's text."""
        facts = {
            "as_of": midnight(self.day).isoformat(),
            "created_at": self.created_at.isoformat(),
        }
        return manifest_text(facts, self.files)

    @classmethod
    def from_json(cls, text: str, *, where: str) -> "Manifest":
        """
        Return what `to_json` gave.

        Raises:
            ContractViolation: The text is no manifest of this format.
        """
        try:
            facts, files = manifest_record(text, where=where)
            return cls(
                day=datetime.fromisoformat(facts["as_of"]).date(),
                created_at=datetime.fromisoformat(facts["created_at"]),
                files=files,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ContractViolation(
                f"{where}: no manifest of a snapshot: {error}",
                hint="`snapshot create --force` makes the day's snapshot anew.",
            ) from error


def midnight(day: date) -> datetime:
    """Return the instant at which a day starts, in UTC."""
    return datetime.combine(day, time(), UTC)


def day_folder(day: date) -> str:
    """Return the folder of a day's snapshot, below the root: `date=2026-11-23`."""
    return f"date={day.isoformat()}"


def manifest_path(day: date) -> str:
    """Return the path of a day's manifest, below the root."""
    return f"{day_folder(day)}/manifest.json"


def day_of(folder: str) -> date | None:
    """Return the day of a folder's name; None if it is no snapshot's."""
    name, _, day = folder.partition("=")
    try:
        return date.fromisoformat(day) if name == "date" else None
    except ValueError:
        return None
