"""What may tell a model, while it is trained, what it could not have known."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.history.columns import FeatureColumn
from feature_repo.history.entity_rows import EntityRows
from feature_repo.training.comparison import differs

# A feature that goes with the label so closely is the label, or was made of it.
_SUSPICIOUS_CORRELATION = 0.99


@dataclass(frozen=True)
class Report:
    """
    What a training set may give away.

    Attributes:
        known_later: By column, in how many rows the value is another than was known at the row's
            own time, because it was backfilled, corrected or written late. The gateway could not
            have served it then.
        like_a_label: Pairs of a column and a label that it goes with, with their correlation.
        future_rows: Rows that are about an instant after `known_at`.
    """

    known_later: Mapping[str, int]
    like_a_label: Sequence[tuple[str, str, float]]
    future_rows: int

    def record(self) -> dict[str, Any]:
        """Return the report for the manifest."""
        return asdict(self)


def report(
    rows: EntityRows,
    columns: Sequence[FeatureColumn],
    known_then: Sequence[FeatureColumn],
    *,
    labels: Sequence[str],
    known_at: datetime,
) -> Report:
    """
    Look a training set over.

    Args:
        rows: Its entity rows.
        columns: Its features.
        known_then: The same features, of values only that were written before each row.
        labels: Columns of the rows that are to be predicted.
        known_at: As of when the set is made.
    """
    later = {
        column.wanted.name: pc.sum(differs(column.values, then.values)).as_py() or 0
        for column, then in zip(columns, known_then, strict=True)
    }
    alike = [
        (column.wanted.name, label, round(correlation, 4))
        for column in columns
        for label in labels
        if abs(correlation := _correlation(column.values, rows.table[label].combine_chunks()))
        >= _SUSPICIOUS_CORRELATION
    ]
    limit = pa.scalar(known_at, rows.instants.type)
    future = pc.sum(pc.greater(rows.instants, limit)).as_py() or 0
    return Report({name: count for name, count in later.items() if count}, alike, future)


def _correlation(first: pa.Array, second: pa.Array) -> float:
    """Return Pearson's correlation of two columns of numbers, where both have one; else 0."""
    if not (_is_number(first.type) and _is_number(second.type)):
        return 0.0
    pairs = pa.table({"x": first.cast(pa.float64()), "y": second.cast(pa.float64())}).drop_null()
    x, y = (pairs[name].to_numpy() for name in ("x", "y"))
    if len(x) < 2 or not (x.std() and y.std()):  # noqa: PLR2004 - of fewer there is none
        return 0.0
    correlation = float(((x - x.mean()) * (y - y.mean())).mean() / (x.std() * y.std()))
    return correlation if math.isfinite(correlation) else 0.0


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )
