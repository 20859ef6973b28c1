"""A point-in-time join, slow and obvious, over a history that remembers its corrections."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from feature_repo.history.entity_rows import INSTANT
from feature_repo.history.terms import Terms
from feature_repo.registry.metadata import FeatureVersion
from foundation.copy import copy_table
from foundation.postgres import Connection

_PARTITION = """
CREATE TABLE IF NOT EXISTS {name} PARTITION OF feature_values
FOR VALUES FROM ('{start}') TO ('{end}')
"""


@dataclass(frozen=True)
class Written:
    """
    Something that was written down.

    Attributes:
        entity_id: Of whom.
        timestamp: What instant it is about.
        created: When it was written.
        value: What.
        replaced: When something else was written in its place; None: never.
        latest: Whether it is the latest value, of which only one an entity is kept.
    """

    entity_id: str
    timestamp: datetime
    created: datetime
    value: Any
    replaced: datetime | None = None
    latest: bool = False


def known_value(
    written: Iterable[Written], entity_id: str, at: datetime, *, look_back: timedelta, terms: Terms
) -> Any:  # noqa: ANN401 - of any type
    """Return the value that counts for an entity at an instant; None if there is none."""
    candidates = []
    for each in written:
        if each.entity_id != entity_id or not at - look_back <= each.timestamp <= at:
            continue
        if each.latest and terms.history_only:
            continue
        instants = [at] if terms.known_then else []
        instants += [terms.known_at] if terms.known_at is not None else []
        if any(each.created > instant for instant in instants):
            continue
        # What was replaced by then, or by now, does not count.
        if each.replaced is not None and (not instants or each.replaced <= min(instants)):
            continue
        candidates.append(each)
    newest = max(candidates, key=lambda w: (w.timestamp, w.created), default=None)
    return None if newest is None else newest.value


def store(
    connection: Connection,
    feature: FeatureVersion,
    written: Sequence[Written],
    *,
    empty: bool = True,
) -> None:
    """
    Put what was written into the tables, as jobs and corrections would have left them.

    Args:
        connection: To PostgreSQL; what it did is committed.
        feature: Whose values they are.
        written: Values.
        empty: Whether what the tables hold is deleted first.
    """
    tables = ("feature_values", "feature_latest", "replaced_values", "archived_parts")
    for table in tables if empty else ():
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of tables
    for start in {w.timestamp.strftime("%Y-%m-01") for w in written}:
        first = datetime.fromisoformat(start)
        end = (first + timedelta(days=32)).replace(day=1)
        connection.execute(
            _PARTITION.format(name=f"feature_values_{first:%Y_%m}", start=start, end=end.date())
        )
    for table, rows in (
        ("feature_values", [w for w in written if w.replaced is None and not w.latest]),
        ("feature_latest", [w for w in written if w.latest]),
        ("replaced_values", [w for w in written if w.replaced is not None]),
    ):
        columns = {
            "entity_id": pa.array([w.entity_id for w in rows], pa.string()),
            "feature_name": pa.array([feature.feature_name] * len(rows), pa.string()),
            "version": pa.array([feature.version] * len(rows), pa.string()),
            "feature_value": pa.array([json.dumps(w.value) for w in rows], pa.string()),
            "timestamp": pa.array([w.timestamp for w in rows], INSTANT),
            "created_at": pa.array([w.created for w in rows], INSTANT),
        }
        if table == "replaced_values":
            columns["replaced_at"] = pa.array([w.replaced for w in rows], INSTANT)
        copy_table(connection, table, pa.table(columns))
    connection.commit()
