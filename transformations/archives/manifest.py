"""What a part of the archive holds, and where: paths and manifests, as pure values."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from feature_repo.stores.archived_parts import ArchivedPart
from feature_repo.stores.partitions import Month, month_of
from foundation.errors import ContractViolation
from transformations.value_files import ValueFile

_FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """
    A complete part; without a manifest, files are not one.

    Attributes:
        month: Whose values.
        part: Name of the part.
        archived_at: When it was written.
        files: One a feature version that has values.
    """

    month: Month
    part: str
    archived_at: datetime
    files: Sequence[ValueFile]

    @property
    def row_count(self) -> int:
        """Values of all feature versions, replaced ones too."""
        return sum(file.row_count for file in self.files)

    @property
    def byte_count(self) -> int:
        """Size of all files."""
        return sum(file.byte_count for file in self.files)

    @property
    def folder(self) -> str:
        """Where the part is, below the root."""
        return part_folder(self.month, self.part)

    def to_json(self) -> str:
        """Return the manifest's text."""
        record = {
            "format": _FORMAT,
            "month": self.month.start.isoformat(),
            "part": self.part,
            "archived_at": self.archived_at.isoformat(),
            "files": [asdict(file) for file in self.files],
        }
        return json.dumps(record, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str) -> "Manifest":
        """
        Return what `to_json` gave.

        Raises:
            ContractViolation: The text is of another format.
        """
        record = json.loads(text)
        if record["format"] != _FORMAT:
            raise ContractViolation(
                f"{where}: format {record['format']}, not {_FORMAT}",
                hint="A newer version of this project wrote it.",
            )
        return cls(
            month=month_of(datetime.fromisoformat(record["month"]).astimezone(UTC)),
            part=record["part"],
            archived_at=datetime.fromisoformat(record["archived_at"]),
            files=[ValueFile(**file) for file in record["files"]],
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
