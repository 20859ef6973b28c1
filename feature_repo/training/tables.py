"""Training sets as tables for a terminal."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from rich.table import Table

from feature_repo.training.leakage import Report
from feature_repo.training.manifest import Manifest
from feature_repo.training.settled_instant import Settled

# A job writes for less, as a rule.
_LARGE_LAG = timedelta(minutes=1)


def manifest_table(manifest: Manifest) -> Table:
    """Return one row a feature of a training set."""
    known = "then, and " if manifest.known_then else ""
    table = Table(
        title=f"{manifest.file.row_count:,} rows, {manifest.file.byte_count / 1e6:,.1f} MB",
        caption=f"As known {known}at {manifest.known_at.isoformat()}. "
        f"SHA-256 {manifest.file.sha256[:16]}...",
    )
    for heading in ("feature", "column"):
        table.add_column(heading)
    for heading in ("null", "computed", "values read", "another value then", "no value then"):
        table.add_column(heading, justify="right")
    leakage = manifest.leakage
    for feature in manifest.features:
        table.add_row(
            feature.reference,
            feature.column,
            f"{feature.null_rate:.1%}",
            f"{feature.computed_count:,}",
            f"{feature.values_read:,}",
            f"{leakage.known_later.get(feature.column, 0):,}",
            f"{leakage.backfilled.get(feature.column, 0):,}",
        )
    return table


def leakage_lines(leakage: Report) -> Iterator[str]:
    """Yield what a leakage report warns of, in sentences."""
    for column, count in leakage.known_later.items():
        yield (
            f"{column}: {count:,} values were not known yet at their rows' time, "
            "so that the gateway served others (--known-then takes those)"
        )
    if leakage.backfilled:
        yield (
            "this part of the history was backfilled: at their rows' time, "
            f"{_counts(leakage.backfilled)} had no value yet"
        )
    for found in leakage.like_a_label:
        yield (
            f"{found.column}: tells the label {found.label} "
            f"({found.measure} {found.value} over {found.row_count:,} rows)"
        )
    if leakage.future_rows:
        yield f"{leakage.future_rows:,} rows are about the future"


def lag_line(settled: Settled) -> str:
    """Return what is to be said about an instant that lies back; empty if it hardly does."""
    if settled.lag < _LARGE_LAG:
        return ""
    return (
        f"what was written in the last {settled.lag} does not count: a transaction of "
        f"{settled.held_by} has been open for so long, and what it wrote is not there yet"
    )


def _counts(of_columns: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} of {column}" for column, count in of_columns.items())
