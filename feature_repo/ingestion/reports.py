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
    """Return one column a file; the reasons for rejection stand below the number of rejected."""
    caption = None if report.rejects is None else f"Rejected rows: {report.rejects}"
    table = Table(title="Loaded", caption=caption)
    table.add_column("rows")
    for file in report.files:
        table.add_column(file.path.name, justify="right")
    for outcome in ("read", "loaded", "updated", "unchanged", "rejected"):
        table.add_row(outcome, *(f"{getattr(file, outcome):,}" for file in report.files))
    for reason in sorted({reason for file in report.files for reason in file.reasons}):
        counts = (file.reasons.get(reason, 0) for file in report.files)
        table.add_row(f"  {reason}", *(f"{count:,}" for count in counts), style="yellow")
    table.add_section()
    table.add_row("seconds", *(f"{file.seconds:.1f}" for file in report.files))
    table.add_row("per second", *(f"{file.read / file.seconds:,.0f}" for file in report.files))
    return table
