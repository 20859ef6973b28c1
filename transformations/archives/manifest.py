"""What a part of the archive holds, and where: paths and manifests, as pure values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from feature_repo.stores.archived_parts import ArchivedPart
from feature_repo.stores.partitions import Month, month_of
from transformations.manifests import FileList, manifest_record, manifest_text
from transformations.value_files import ValueFile


@dataclass(frozen=True)
class Manifest(FileList):
    """
    A complete part; without a manifest, files are not one.

    Attributes:
        month: Whose values.
        part: Name of the part.
        archived_at: When it was written.
        files: One a feature version that has values, replaced ones too.
    """

    month: Month
    part: str
    archived_at: datetime
    files: Sequence[ValueFile]

    @property
    def folder(self) -> str:
        """Where the part is, below the root."""
        return part_folder(self.month, self.part)

    def to_json(self) -> str:
        """Return the manifest's text."""
        facts = {
            "month": self.month.start.isoformat(),
            "part": self.part,
            "archived_at": self.archived_at.isoformat(),
        }
        return manifest_text(facts, self.files)

    @classmethod
    def from_json(cls, text: str, *, where: str) -> "Manifest":
        """
        Return what `to_json` gave.

        Raises:
            ContractViolation: The text is of another format.
        """
        facts, files = manifest_record(text, where=where)
        return cls(
            month=month_of(datetime.fromisoformat(facts["month"]).astimezone(UTC)),
            part=facts["part"],
            archived_at=datetime.fromisoformat(facts["archived_at"]),
            files=files,
        )


def month_folder(month: Month) -> str:
    """Return the folder of a month, below the root: `archive/month=2026-05`."""
    return f"archive/month={month.start:%Y-%m}"


def part_folder(month: Month, part: str) -> str:
    """Return the folder of a part, below the root."""
    return f"{month_folder(month)}/part={part}"


def part_name(folder_name: str) -> str:
    """Return the name of the part whose folder has a name."""
    return folder_name.removeprefix("part=")


def manifest_path(month: Month, part: str) -> str:
    """Return the path of a part's manifest, below the root."""
    return f"{part_folder(month, part)}/manifest.json"


def recorded(manifest: Manifest, *, sha256: str) -> ArchivedPart:
    """Return what PostgreSQL remembers of a part."""
    features = frozenset(file.reference for file in manifest.files)
    return ArchivedPart(manifest.month, manifest.part, features, sha256)
