"""Bounded samples of values: of the latest ones, and of snapshots."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.entities import FEATURE_ENTITIES
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.json_values import decode
from feature_repo.stores.keys import SEPARATOR
from foundation.errors import ContractViolation
from foundation.postgres import Connection
from foundation.settings import Settings
from transformations.snapshots import reading
from transformations.snapshots.storage import Storage

_MOST_NUMBERS = 2_000_000
# Days back, from the newest snapshot, in which to look for one that holds a version.
_DAYS_LOOKED_AT = 30
_CHANCES = 1 << 20
# So that a measurement can be repeated.
_SEED = 20_261_123


@dataclass(frozen=True)
class Sample:
    """
    Some of the values of a feature version, each drawn on its own.

    Attributes:
        values: Of the feature's Arrow type; null where an entity has none. Of pairs, one pair of
            each first member at most: those of one user are alike.
        entity_count: How many there are in all.
        day: Of the snapshot that they are from; None of the latest values.
    """

    values: pa.Array
    entity_count: int
    day: date | None = None


def sample_size(settings: Settings, feature: FeatureVersion) -> int:
    """Return how many entities to look at: fewer if each has a long vector."""
    return min(settings.drift_sample_entities, _MOST_NUMBERS // (feature.vector_length or 1))


def sample_latest(
    connection: Connection, feature: FeatureVersion, *, limit: int, now: datetime
) -> Sample:
    """
    Return a sample of the latest values that are not older than the look-back.

    Entities are chosen by a hash of their id: about as many as the limit says, the same each time.
    """
    identity = (feature.feature_name, feature.version, now - feature.look_back)
    row = connection.execute(
        """
        SELECT count(*) FROM feature_latest
        WHERE feature_name = %s AND version = %s AND "timestamp" >= %s
        """,
        identity,
    ).fetchone()
    entity_count = int(row[0]) if row is not None else 0
    chance = _CHANCES if entity_count <= limit else _CHANCES * limit // entity_count
    rows = connection.execute(
        """
        SELECT entity_id, nullif(feature_value, 'null')::text FROM feature_latest
        WHERE feature_name = %s AND version = %s AND "timestamp" >= %s
          AND hashtextextended(entity_id, 0) & %s < %s
        """,
        (*identity, _CHANCES - 1, chance),
    ).fetchall()
    entity_ids = pa.array([entity_id for entity_id, _ in rows], pa.string())
    texts = pa.array([text for _, text in rows], pa.string())
    values = one_of_each(feature, entity_ids, decode(texts, feature.feature_type))
    return Sample(values, entity_count)


def sample_snapshot(
    storage: Storage, feature: FeatureVersion, day: date | None, *, limit: int
) -> Sample:
    """
    Return a sample of a snapshot's values.

    Args:
        storage: Where snapshots are.
        feature: Whose values.
        day: Of the snapshot; None for the last one that holds values of the version.
        limit: Most entities.

    Raises:
        ContractViolation: There is no such snapshot, or none of the last ones holds the version.
    """
    if day is not None:
        rows, entity_count = reading.sample(storage, feature, day, limit=limit)
        columns = rows["entity_id"].combine_chunks(), rows["feature_value"].combine_chunks()
        return Sample(one_of_each(feature, *columns), entity_count, day)
    days = storage.days()
    for newest in reversed(days[-_DAYS_LOOKED_AT:]):
        manifest = storage.manifest(newest)
        files = () if manifest is None else manifest.files
        if any(file.reference == feature.reference and file.row_count for file in files):
            return sample_snapshot(storage, feature, newest, limit=limit)
    raise ContractViolation(
        f"no snapshot of late holds values of {feature.reference}",
        hint="`python -m transformations snapshot create` makes one.",
    )


def one_of_each(feature: FeatureVersion, entity_ids: pa.Array, values: pa.Array) -> pa.Array:
    """Return, of values of pairs, one that chance draws for each first member; others as given."""
    if len(FEATURE_ENTITIES[feature.entity]) == 1:
        return values
    first = pc.list_element(pc.split_pattern(entity_ids, SEPARATOR, max_splits=1), 0)
    shuffled = np.random.default_rng(_SEED).permutation(len(values))
    codes = first.dictionary_encode().indices.to_numpy()[shuffled]
    _, drawn = np.unique(codes, return_index=True)
    return values.take(pa.array(shuffled[drawn]))
