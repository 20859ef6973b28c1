"""Training sets as tables for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from feature_repo.training.manifest import Manifest


def manifest_table(manifest: Manifest) -> Table:
    """Return one row a feature of a training set."""
    table = Table(
        title=f"{manifest.file.row_count:,} rows, {manifest.file.byte_count / 1e6:,.1f} MB",
        caption=f"As known at {manifest.known_at}. SHA-256 {manifest.file.sha256[:16]}...",
    )
    for heading in ("feature", "column"):
        table.add_column(heading)
    for heading in ("null", "computed", "values read", "differs from known then"):
        table.add_column(heading, justify="right")
    later = manifest.leakage["known_later"]
    for feature in manifest.features:
        table.add_row(
            feature.reference,
            feature.column,
            f"{feature.null_rate:.1%}",
            f"{feature.computed_count:,}",
            f"{feature.values_read:,}",
            f"{later.get(feature.column, 0):,}",
        )
    return table


def leakage_lines(leakage: Mapping[str, Any]) -> list[str]:
    """Return what a leakage report warns of, in sentences."""
    lines = [
        f"{column}: {count:,} values were not known yet at their rows' time, "
        "so that the gateway could not have served them"
        for column, count in leakage["known_later"].items()
    ]
    lines += [
        f"{column}: goes with the label {label} (correlation {correlation})"
        for column, label, correlation in leakage["like_a_label"]
    ]
    if leakage["future_rows"]:
        lines.append(f"{leakage['future_rows']:,} rows are about the future")
    return lines
