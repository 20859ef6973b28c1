"""Whatever is written and whenever months are dropped: what is retrieved stays the same."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.history.columns import WantedColumn
from feature_repo.history.entity_rows import EntityRows
from feature_repo.history.retrieval import HistoricalValues
from feature_repo.history.slices import Window
from feature_repo.history.terms import Terms
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.keys import key_values
from feature_repo.stores.partitions import keep_months
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from tests.property.feature_repo.history.test_retrieval import (
    EXTENSIONS,
    FLOAT,
    INSTANTS,
    START,
    STEP,
    instants,
)
from transformations.archives.storage import Archive
from transformations.retention import archive_months

MAP = FLOAT.model_copy(update={"feature_type": FeatureType.MAP})
ENTITIES = ["p1", "p%3A1", "é"]
# The history begins in May and ends in June.
JUNE, JULY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
TABLES = "feature_values, feature_latest, replaced_values, archived_parts"

# As jobs and pushes do, but at instants that the test chooses: so without the trigger, which knows
# only now.
WITHOUT_TRIGGERS = "SET session_replication_role = replica"
KEEP_REPLACED = """
INSERT INTO replaced_values
SELECT entity_id, feature_name, feature_value, version, "timestamp", created_at, %(created)s
FROM feature_values
WHERE entity_id = %(entity_id)s AND feature_name = %(feature_name)s AND version = %(version)s
  AND "timestamp" = %(timestamp)s AND feature_value <> %(value)s
"""
UPSERT_HISTORY = """
INSERT INTO feature_values AS kept
    (entity_id, feature_name, feature_value, version, "timestamp", created_at)
VALUES (%(entity_id)s, %(feature_name)s, %(value)s, %(version)s, %(timestamp)s, %(created)s)
ON CONFLICT (feature_name, version, entity_id, "timestamp") DO UPDATE
SET feature_value = excluded.feature_value, created_at = excluded.created_at
WHERE kept.feature_value <> excluded.feature_value
"""
UPSERT_LATEST = """
INSERT INTO feature_latest AS kept
    (entity_id, feature_name, feature_value, version, "timestamp", created_at)
VALUES (%(entity_id)s, %(feature_name)s, %(value)s, %(version)s, %(timestamp)s, %(created)s)
ON CONFLICT (feature_name, version, entity_id) DO UPDATE
SET feature_value = excluded.feature_value, "timestamp" = excluded."timestamp",
    created_at = excluded.created_at
WHERE kept."timestamp" < excluded."timestamp"
"""


@dataclass(frozen=True)
class Write:
    """A value comes, whether it is the first of its entity and timestamp or not."""

    entity_id: str
    timestamp: datetime
    value: float
    delay: int


@dataclass(frozen=True)
class Drop:
    """Months that ended by then are archived."""

    until: datetime


# Few values, so that the same one often comes again.
writes = st.builds(
    Write, st.sampled_from(ENTITIES), instants, st.sampled_from([0.25, 0.5]), st.integers(1, 4)
)
drops = st.builds(Drop, st.sampled_from([JUNE, JULY]))
events = st.lists(st.one_of(writes, writes, writes, drops), min_size=3, max_size=25)
# Instants that creations fall on.
creations = st.integers(0, 60).map(lambda step: START + step * STEP)


def _write_down(
    connection: Connection, feature: FeatureVersion, write: Write, created: datetime
) -> None:
    value = {"view": write.value} if feature is MAP else write.value
    row = {
        "entity_id": write.entity_id,
        "feature_name": feature.feature_name,
        "value": json.dumps(value),
        "version": feature.version,
        "timestamp": write.timestamp,
        "created": created,
    }
    connection.execute(UPSERT_LATEST, row)
    keep_months(connection, [write.timestamp])
    connection.execute(KEEP_REPLACED, row)
    connection.execute(UPSERT_HISTORY, row)
    connection.commit()


def _live(
    servers: Settings, feature: FeatureVersion, events: Sequence[Write | Drop], *, dropping: bool
) -> None:
    """Let everything happen from empty tables, with drops or without."""
    with connect(servers) as connection:
        connection.execute(WITHOUT_TRIGGERS)
        connection.execute(f"TRUNCATE {TABLES}")
        connection.commit()
        created = START - 2 * STEP
        for event in events:
            if isinstance(event, Write):
                created += event.delay * STEP
                _write_down(connection, feature, event, created)
            elif dropping:
                archive_months(
                    servers,
                    Archive.open(servers),
                    now=event.until + timedelta(days=servers.history_retention_days),
                    dry_run=False,
                )


def _answers(servers: Settings, feature: FeatureVersion, asked: Sequence[Terms]) -> list[Any]:
    """Return all that retrieval says: values, their timestamps, what was read, what is stored."""
    asked_rows = [(key_values(entity)[0], at) for entity in ENTITIES for at in INSTANTS]
    frame = pd.DataFrame(asked_rows, columns=["product_id", "event_timestamp"])
    rows, wanted = EntityRows.from_pandas(frame), WantedColumn(feature, ("product_id",), "value")
    answers: list[Any] = []
    for terms in asked:
        with HistoricalValues.open(servers, terms, EXTENSIONS) as values:
            (column,) = values.columns(rows, [wanted])
            answers.append((terms, column.values.to_pylist(), column.timestamps.to_pylist()))
            answers.append((terms, column.watermark))
    with HistoricalValues.open(servers, Terms(), EXTENSIONS) as values:
        window = Window(START, JUNE + timedelta(hours=1))
        answers.append(values.stored_rows([feature], window).table.to_pylist())
    return answers


@settings(max_examples=30, deadline=None)
@given(events=events, known_at=creations, history_only=st.booleans(), of_maps=st.booleans())
def test_dropping_months_changes_nothing(
    servers: Settings,
    events: list[Write | Drop],
    known_at: datetime,
    *,
    history_only: bool,
    of_maps: bool,
) -> None:
    """On any terms; with corrections before and after a drop, and months that are dropped twice."""
    feature = MAP if of_maps else FLOAT
    asked = [
        Terms(known_at=at, known_then=known_then, history_only=history_only)
        for at in (None, known_at)
        for known_then in (False, True)
    ]
    _live(servers, feature, events, dropping=False)
    expected = _answers(servers, feature, asked)
    with tempfile.TemporaryDirectory() as folder:
        archiving = servers.model_copy(update={"snapshot_url": Path(folder).as_uri()})
        _live(archiving, feature, events, dropping=True)
        assert _answers(archiving, feature, asked) == expected
