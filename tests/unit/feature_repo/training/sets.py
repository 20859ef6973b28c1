"""Training sets made by hand, for tests of what is done with them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from feature_repo.training.building import (
    ROWS_FILE,
    TrainingSet,
    column_digest,
    digest,
    parquet_bytes,
)
from feature_repo.training.leakage import Report
from feature_repo.training.manifest import FeatureRecord, FileRecord, Manifest

Columns = Mapping[str, Sequence[Any]]
Features = Mapping[str, tuple[str, Sequence[Any]]]

KNOWN_AT = datetime(2026, 6, 2, tzinfo=UTC)


def training_set(
    entities: Columns,
    features: Features,
    **changes: object,
) -> TrainingSet:
    """
    Return a training set.

    Args:
        entities: Columns of the rows.
        features: By reference: the name of the column, and its values.
        changes: Of the manifest.
    """
    columns = {name: pa.array(values) for name, values in features.values()}
    table = pa.table({**entities, **columns})
    content = parquet_bytes(table)
    manifest = Manifest(
        known_at=KNOWN_AT,
        known_then=False,
        entity_columns=list(entities),
        timestamp_column="event_timestamp",
        labels=[],
        first_timestamp=None,
        last_timestamp=None,
        features=[
            FeatureRecord(
                reference=reference,
                column=name,
                code_fingerprint="code",
                null_count=columns[name].null_count,
                null_rate=0.0,
                computed_count=0,
                values_read=0,
                newest_event_timestamp=None,
                newest_created_at=None,
                sha256=column_digest(columns[name]),
            )
            for reference, (name, _) in features.items()
        ],
        file=FileRecord(
            path=ROWS_FILE,
            row_count=table.num_rows,
            byte_count=len(content),
            sha256=digest(content),
        ),
        leakage=Report(known_later={}, backfilled={}, like_a_label=[], future_rows=0),
        environment={"python": "3.11"},
    )
    return TrainingSet(table, content, manifest.model_copy(update=changes))
