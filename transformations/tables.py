"""Runs as tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from transformations.runs import RunReport

if TYPE_CHECKING:  # it imports Great Expectations, which is slow
    from transformations.backfill import BackfillReport


def report_table(reports: Sequence[RunReport]) -> Table:
    """Return one row a successful run: what it wrote, and where its time went."""
    steps = list(reports[0].seconds) if reports else []
    table = Table(title="Computed", caption="Rows changed in each store; seconds by step.")
    table.add_column("feature", no_wrap=True)
    table.add_column("as of", no_wrap=True)
    for heading in ("values", "latest", "history", "online", *steps):
        table.add_column(heading, justify="right")
    for report in reports:
        table.add_row(
            report.feature.reference,
            f"{report.as_of:%Y-%m-%d %H:%M:%S}",
            f"{report.row_count:,}",
            f"{report.latest_row_count:,}",
            "-" if report.history_row_count is None else f"{report.history_row_count:,}",
            f"{report.online_row_count:,}",
            *(f"{report.seconds[step]:.2f}" for step in steps),
        )
    return table


def backfill_table(report: "BackfillReport") -> Table:
    """Return one row a feature version: what was updated, and what failed."""
    table = Table(
        title="Backfill",
        caption=f"{report.already_done:,} computations had been done before."
        if report.already_done
        else None,
    )
    for heading in ("feature", "updated", "failed", "values", "history", "latest", "online"):
        table.add_column(heading, justify="left" if heading == "feature" else "right")
    features = {f.reference: o.job.name for _, o in report.outcomes for f in o.job.features}
    for reference, job_name in features.items():
        updates = [
            update
            for _, outcome in report.outcomes
            for update in outcome.reports
            if update.feature.reference == reference
        ]
        failed = sum(outcome.job.name == job_name for _, outcome in report.failed)
        table.add_row(
            reference,
            f"{len(updates):,}",
            Text(f"{failed:,}", "red" if failed else ""),
            f"{sum(u.row_count for u in updates):,}",
            f"{sum(u.history_row_count or 0 for u in updates):,}",
            f"{sum(u.latest_row_count for u in updates):,}",
            f"{sum(u.online_row_count for u in updates):,}",
        )
    return table


def failure_table(report: "BackfillReport") -> Table:
    """Return one row a job and instant that a backfill could not compute."""
    table = Table(title="Failed")
    for heading in ("job", "as of", "status", "error"):
        table.add_column(heading)
    for at, outcome in report.failed:
        table.add_row(outcome.job.name, f"{at:%Y-%m-%d %H:%M}", outcome.ending, outcome.error)
    return table


def run_table(records: Sequence[Mapping[str, Any]]) -> Table:
    """Return one row a recorded run."""
    table = Table(title="Runs", caption="Newest first.")
    for heading in ("feature", "version", "as of", "started", "status", "values", "error"):
        table.add_column(heading)
    for record in records:
        error = (record["error"] or "").splitlines()
        table.add_row(
            record["feature_name"],
            record["version"],
            f"{record['as_of']:%Y-%m-%d %H:%M:%S}",
            f"{record['started_at']:%Y-%m-%d %H:%M:%S}",
            record["status"],
            "-" if record["row_count"] is None else f"{record['row_count']:,}",
            error[0] if error else "",
        )
    return table


def check_table(records: Sequence[Mapping[str, Any]]) -> Table:
    """Return one row a failed check of the recorded runs."""
    table = Table(title="Failed checks")
    for heading in ("started", "subject", "check", "expected", "observed", "sample rows"):
        table.add_column(heading)
    for record in records:
        for check in record["checks"]:
            if not check["success"]:
                table.add_row(
                    f"{record['started_at']:%Y-%m-%d %H:%M:%S}",
                    check["subject"],
                    check["check_type"],
                    check["expectation"],
                    check["observed"],
                    ", ".join(f"{s['row']}: {s['value']}" for s in check["samples"]),
                )
    return table
