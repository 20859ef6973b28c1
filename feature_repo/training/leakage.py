"""What may tell a model, while it is trained, what it could not have known."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from feature_repo.history.columns import FeatureColumn
from feature_repo.history.entity_rows import EntityRows
from feature_repo.training.association import closest_association
from feature_repo.training.comparison import differs

# A feature that goes with the label so closely is the label, or was made of it.
_SUSPICIOUS = 0.99


class LikeALabel(BaseModel):
    """
    A column that tells a label.

    Attributes:
        column: Which.
        label: Which.
        measure: By what; see `association.Association`.
        value: Of the measure.
        row_count: Of how many rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    label: str
    measure: str
    value: float
    row_count: int


class Report(BaseModel):
    """
    What a training set may give away.

    Attributes:
        known_later: By column, in how many rows the value is another than was known at the row's
            own time, because it was corrected or written late. The gateway served another one then.
        backfilled: By column, in how many rows there is a value, and there was none at the row's
            own time, because that part of the history was computed later.
        like_a_label: Columns that tell a label.
        future_rows: Rows that are about an instant after `known_at`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    known_later: Mapping[str, int]
    backfilled: Mapping[str, int]
    like_a_label: Sequence[LikeALabel]
    future_rows: int


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
    later, backfilled = {}, {}
    for column, then in zip(columns, known_then, strict=True):
        another = differs(column.values, then.values)
        later[column.wanted.name] = _count(pc.and_(another, then.values.is_valid()))
        backfilled[column.wanted.name] = _count(pc.and_(another, then.values.is_null()))
    limit = pa.scalar(known_at, rows.instants.type)
    return Report(
        known_later={name: count for name, count in later.items() if count},
        backfilled={name: count for name, count in backfilled.items() if count},
        like_a_label=[
            found
            for column in columns
            for label in labels
            if (found := _like_a_label(column, label, rows)) is not None
        ],
        future_rows=_count(pc.greater(rows.instants, limit)),
    )


def _like_a_label(column: FeatureColumn, label: str, rows: EntityRows) -> LikeALabel | None:
    found = closest_association(column.values, rows.table[label].combine_chunks())
    if found is None or abs(found.value) < _SUSPICIOUS:
        return None
    return LikeALabel(
        column=column.wanted.name,
        label=label,
        measure=found.measure,
        value=round(found.value, 4),
        row_count=found.row_count,
    )


def _count(flags: pa.Array) -> int:
    return int(pc.sum(flags).as_py() or 0)
