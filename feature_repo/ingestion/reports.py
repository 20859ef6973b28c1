"""What a load did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FileReport:
    """
    What became of one file's rows; each is loaded, updated, unchanged or rejected.

    Attributes:
        path: The file.
        read: Rows in the file, malformed records included.
        loaded: Rows that are new.
        updated: Rows that replaced a stored one.
        unchanged: Rows that are stored already.
        reasons: Number of rejected rows by reason.
        seconds: How long reading, checking and merging took.
    """

    path: Path
    read: int
    loaded: int
    updated: int
    unchanged: int
    reasons: Mapping[str, int]
    seconds: float

    @property
    def rejected(self) -> int:
        """Number of rejected rows."""
        return sum(self.reasons.values())


@dataclass(frozen=True)
class LoadReport:
    """What became of every file, and where rejected rows were written (None if there are none)."""

    files: Sequence[FileReport]
    rejects: Path | None
