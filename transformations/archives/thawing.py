"""What PostgreSQL has dropped, for computations of the past that read stored values."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.archived_parts import ArchivedPart, archived_parts, parts_within
from feature_repo.stores.partitions import HOLD_MONTHS
from feature_repo.stores.sql import dropped_table
from foundation.postgres import connect
from foundation.settings import Settings
from transformations.archives.reading import read_part
from transformations.archives.storage import Archive

_COLUMNS = ["entity_id", "feature_value", "timestamp"]


@contextlib.contextmanager
def hold_dropped(
    settings: Settings, features: Sequence[FeatureVersion], *, as_of: datetime
) -> Iterator[dict[str, pa.Table]]:
    """
    Let no month be dropped while the block runs, and yield what was dropped before.

    Args:
        settings: Say where everything is.
        features: Whose values.
        as_of: What may have been known then counts.

    Yields:
        The tables of `dropped_table` that are not empty, by name.
    """
    if not features:
        yield {}
        return
    with connect(settings) as connection:
        connection.execute(HOLD_MONTHS)
        parts, archive = archived_parts(connection), Archive.open(settings)
        thawed = {dropped_table(each): thaw(archive, parts, each, as_of=as_of) for each in features}
        yield {name: rows for name, rows in thawed.items() if rows is not None}


def thaw(
    archive: Archive, parts: Sequence[ArchivedPart], feature: FeatureVersion, *, as_of: datetime
) -> pa.Table | None:
    """
    Return what was dropped of the values that may have been known at an instant.

    Args:
        archive: Where it is.
        parts: Of all months.
        feature: Whose values.
        as_of: What is not later counts, if it is no older than the look-back.

    Returns:
        The rows of `dropped_table`; None if nothing was dropped.

    Raises:
        ContractViolation: Values were removed, or their files are damaged.
        StoreUnavailable: The archive can't be reached.
    """
    start = as_of - feature.look_back
    found = []
    for place, part in enumerate(parts_within(parts, feature, start=start, end=as_of)):
        manifest = archive.manifest(part)
        for rows in read_part(archive, manifest, part, feature, ids=None, start=start, end=as_of):
            kept = rows.filter(pc.field("replaced_at").is_null()).select(_COLUMNS)
            found.append(kept.append_column("place", pa.repeat(place, kept.num_rows)))
    return pa.concat_tables(found) if found else None
