"""Historical retrieval against a slow, obvious reference, over random histories in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.history.columns import WantedColumn
from feature_repo.history.entity_rows import EntityRows
from feature_repo.history.extensions import Extensions
from feature_repo.history.retrieval import HistoricalValues
from feature_repo.history.terms import Terms
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.keys import entity_id
from foundation.postgres import connect
from foundation.settings import Settings
from tests.histories import Written, known_value, store
from transformations.archives.reading import ArchivedValues
from transformations.on_demand.history import PastComputations

FEATURES = {feature.reference: feature for feature in gather_features()}
FLOAT = FEATURES["popularity_score==1.0.0"]
EXTENSIONS = Extensions(older_values=ArchivedValues(), computations=PastComputations())
START = datetime(2026, 5, 31, 22, tzinfo=UTC)  # so that a month ends amid the history
STEP = timedelta(minutes=5)  # both parts of the look-back are multiples of it

# Mostly on the same few instants, so that ties and the exact look-back come up; else next to them.
instants = st.builds(
    lambda step, off: START + step * STEP + timedelta(microseconds=off),
    st.integers(0, 20),
    st.sampled_from([0, 0, 0, -1, 1]),
)
# By join keys: entities of which each reads like another one, if it is not looked at closely.
ENTITIES: dict[tuple[str, ...], list[tuple[str, ...]]] = {
    ("product_id",): [("p1",), ("p:1",), ("p%3A1",), ("é",)],
    ("user_id", "product_id"): [("1", "23"), ("12", "3"), ("u:", "p"), ("u", ":p")],
}
delays = st.builds(lambda step: step * STEP, st.integers(-3, 15))
features = st.builds(
    lambda kind, keys: FLOAT.model_copy(update={"feature_type": kind, "join_keys": keys}),
    st.sampled_from(FeatureType),
    st.sampled_from(list(ENTITIES)),
)
# What was written is told apart by a number; JSON's null is a value, too, and hides older ones.
numbers = st.one_of(st.none(), st.integers(0, 99))


@st.composite
def histories(draw: st.DrawFn, feature: FeatureVersion) -> list[Written]:
    """Return numbers with their corrections, and latest ones that agree with them."""
    written: list[Written] = []
    # One entity has no values.
    entities = st.sampled_from([entity_id(keys) for keys in ENTITIES[feature.join_keys][:-1]])
    for entity, timestamp in draw(st.sets(st.tuples(entities, instants), min_size=4, max_size=20)):
        created = sorted(timestamp + d for d in draw(st.sets(delays, min_size=1, max_size=3)))
        for number, at in enumerate(created):
            replaced = created[number + 1] if number + 1 < len(created) else None
            written.append(Written(entity, timestamp, at, draw(numbers), replaced))
    for entity in sorted(draw(st.sets(entities))):
        kept = [w for w in written if w.entity_id == entity and w.replaced is None]
        newest = max(kept, key=lambda w: w.timestamp, default=None)
        if newest is not None and draw(st.booleans()):
            value = Written(entity, newest.timestamp, newest.created, newest.value, latest=True)
        else:
            after = START if newest is None else newest.timestamp + timedelta(microseconds=1)
            at = max(after, draw(instants))
            value = Written(entity, at, at + draw(delays), draw(numbers), latest=True)
        written.append(value)
    return written


def value_of(number: int | None, kind: FeatureType) -> Any:  # noqa: ANN401 - of any type
    """Return a value of a type; which is not that of any other number."""
    if number is None:
        return None
    return {
        FeatureType.FLOAT: number / 8,
        FeatureType.STRING: f'"{number}" is\nnot null, é',
        FeatureType.VECTOR: [number / 8, -1.0] if number else [],
        FeatureType.MAP: {'"é': number / 8} if number else {},
    }[kind]


# Everybody, at every instant at which something may begin or cease to count, and next to it.
Row = tuple[tuple[str | None, ...], datetime | None]
INSTANTS = [
    START + step * STEP + timedelta(microseconds=off) for step in range(40) for off in (-1, 0, 1)
]
terms = st.builds(
    Terms,
    known_at=st.one_of(st.none(), instants.map(lambda at: at + timedelta(hours=1))),
    known_then=st.booleans(),
    history_only=st.booleans(),
)


def retrieved(
    servers: Settings, feature: FeatureVersion, rows: Sequence[Row], terms: Terms
) -> list[Any]:
    """Return what the store finds for entities at instants."""
    frame = pd.DataFrame([keys for keys, _ in rows], columns=list(feature.join_keys))
    frame["event_timestamp"] = pd.to_datetime(pd.Series([at for _, at in rows]), utc=True)
    wanted = [WantedColumn(feature, feature.join_keys, "found")]
    with HistoricalValues.open(servers, terms, EXTENSIONS) as values:
        (column,) = values.columns(EntityRows.from_pandas(frame), wanted)
    found: list[Any] = column.values.to_pylist()
    if feature.feature_type is FeatureType.MAP:
        return [None if items is None else dict(items) for items in found]
    return found


@settings(max_examples=60, deadline=None)
@given(data=st.data(), feature=features, terms=terms)
def test_each_row_gets_what_was_known(
    servers: Settings, data: st.DataObject, feature: FeatureVersion, terms: Terms
) -> None:
    """Whatever was written, on any terms: nothing from after the row, and nothing too old."""
    kind, keys = feature.feature_type, ENTITIES[feature.join_keys]
    written = [
        replace(each, value=value_of(each.value, kind)) for each in data.draw(histories(feature))
    ]
    with connect(servers) as connection:
        store(connection, feature, written)
    expected = [
        known_value(written, entity_id(entity), at, look_back=feature.look_back, terms=terms)
        for entity in keys
        for at in INSTANTS
    ]
    rows: list[Row] = [(entity, at) for entity in keys for at in INSTANTS]
    incomplete: list[Row] = [((*keys[0][1:], None), START), (keys[0], None)]
    assert retrieved(servers, feature, [*rows, *incomplete], terms) == [*expected, None, None]


@pytest.mark.parametrize("microseconds", [-1, 0, 1])
def test_the_look_back_ends_exactly(servers: Settings, microseconds: int) -> None:
    """A value as old as the look-back counts, one a microsecond older does not."""
    with connect(servers) as connection:
        store(connection, FLOAT, [Written("p1", START, START, 0.5)])
    at = START + FLOAT.look_back + timedelta(microseconds=microseconds)
    assert retrieved(servers, FLOAT, [(("p1",), at)], Terms()) == [
        None if microseconds > 0 else 0.5
    ]
