"""What a load did, as a table for a terminal."""

from rich.table import Table

from feature_repo.ingestion.reports import LoadReport


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
