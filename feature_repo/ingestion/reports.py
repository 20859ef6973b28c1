"""What a load did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table


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


def load_table(report: LoadReport) -> Table:
    """Return one row a file, and one a reason for rejection."""
    caption = None if report.rejects is None else f"Rejected rows: {report.rejects}"
    table = Table(title="Loaded", caption=caption)
    table.add_column("file", overflow="fold")
    for heading in ("read", "loaded", "updated", "unchanged", "rejected", "seconds", "rows/s"):
        table.add_column(heading, justify="right")
    for file in report.files:
        counts = (file.read, file.loaded, file.updated, file.unchanged, file.rejected)
        table.add_row(
            file.path.name,
            *(f"{count:,}" for count in counts),
            f"{file.seconds:.1f}",
            f"{file.read / file.seconds:,.0f}",
            end_section=not file.reasons,
        )
        for position, (reason, count) in enumerate(file.reasons.items(), start=1):
            table.add_row(
                f"  {reason}",
                *[""] * 4,
                f"{count:,}",
                end_section=position == len(file.reasons),
                style="yellow",
            )
    return table
