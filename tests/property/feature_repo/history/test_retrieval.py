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
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.keys import escape
from foundation.postgres import connect
from foundation.settings import Settings
from tests.property.feature_repo.history.oracle import Written, known_value, store
from transformations.archives.reading import ArchivedValues
from transformations.on_demand.history import PastComputations

FEATURES = {feature.reference: feature for feature in gather_features()}
# Numbers are joined as they are, maps by their place among all texts.
FLOAT = FEATURES["popularity_score==1.0.0"]
MAP = FEATURES["popularity_score==2.0.0"]
EXTENSIONS = Extensions(older_values=ArchivedValues(), computations=PastComputations())
START = datetime(2026, 5, 31, 22, tzinfo=UTC)  # so that a month ends amid the history
STEP = timedelta(minutes=5)  # both parts of the look-back are multiples of it

# Mostly on the same few instants, so that ties and the exact look-back come up; else next to them.
instants = st.builds(
    lambda step, off: START + step * STEP + timedelta(microseconds=off),
    st.integers(0, 20),
    st.sampled_from([0, 0, 0, -1, 1]),
)
ENTITIES = ["p1", "p%3A1", "é"]
entities = st.sampled_from(ENTITIES)
delays = st.builds(lambda step: step * STEP, st.integers(-3, 15))


@st.composite
def histories(draw: st.DrawFn) -> list[Written]:
    """Return values with their corrections, and latest values that agree with them."""
    written: list[Written] = []
    for entity_id, timestamp in draw(
        st.sets(st.tuples(entities, instants), min_size=4, max_size=20)
    ):
        created = sorted(timestamp + d for d in draw(st.sets(delays, min_size=1, max_size=3)))
        for number, at in enumerate(created):
            replaced = created[number + 1] if number + 1 < len(created) else None
            written.append(Written(entity_id, timestamp, at, float(len(written)), replaced))
    for entity_id in sorted(draw(st.sets(entities))):
        kept = [w for w in written if w.entity_id == entity_id and w.replaced is None]
        newest = max(kept, key=lambda w: w.timestamp, default=None)
        if newest is not None and draw(st.booleans()):
            value = Written(entity_id, newest.timestamp, newest.created, newest.value, latest=True)
        else:
            after = START if newest is None else newest.timestamp + timedelta(microseconds=1)
            at = max(after, draw(instants))
            value = Written(entity_id, at, at + draw(delays), float(len(written)), latest=True)
        written.append(value)
    return written


# Everybody, at every instant at which something may begin or cease to count, and next to it.
ASKED: list[tuple[str | None, datetime | None]] = [
    (entity, START + step * STEP + timedelta(microseconds=off))
    for entity in ("p1", "p:1", "é", "p%3A1")
    for step in range(40)
    for off in (-1, 0, 1)
]
ASKED += [(None, START), ("p1", None)]
terms = st.builds(
    Terms,
    known_at=st.one_of(st.none(), instants.map(lambda at: at + timedelta(hours=1))),
    known_then=st.booleans(),
    history_only=st.booleans(),
)


def retrieved(
    servers: Settings,
    feature: FeatureVersion,
    rows: Sequence[tuple[str | None, datetime | None]],
    terms: Terms,
) -> list[Any]:
    """Return what the store finds for entities at instants."""
    frame = pd.DataFrame(
        {
            "product_id": [entity for entity, _ in rows],
            "event_timestamp": pd.to_datetime(pd.Series([at for _, at in rows]), utc=True),
        }
    )
    wanted = [WantedColumn(feature, ("product_id",), "popularity_score")]
    with HistoricalValues.open(servers, terms, EXTENSIONS) as values:
        (column,) = values.columns(EntityRows.from_pandas(frame), wanted)
    found: list[Any] = column.values.to_pylist()
    return found


@settings(max_examples=40, deadline=None)
@given(written=histories(), terms=terms, of_maps=st.booleans())
def test_each_row_gets_what_was_known(
    servers: Settings, written: list[Written], terms: Terms, *, of_maps: bool
) -> None:
    """Whatever was written, on any terms: nothing from after the row, and nothing too old."""
    feature = MAP if of_maps else FLOAT
    with connect(servers) as connection:
        stored = [replace(w, value={"view": w.value}) for w in written] if of_maps else written
        store(connection, feature, stored)
    expected = [
        None
        if key is None or at is None
        else known_value(written, escape(key), at, look_back=feature.look_back, terms=terms)
        for key, at in ASKED
    ]
    found = retrieved(servers, feature, ASKED, terms)
    if of_maps:
        found = [None if items is None else dict(items)["view"] for items in found]
    assert found == expected


@pytest.mark.parametrize("microseconds", [-1, 0, 1])
def test_the_look_back_ends_exactly(servers: Settings, microseconds: int) -> None:
    """A value as old as the look-back counts, one a microsecond older does not."""
    with connect(servers) as connection:
        store(connection, FLOAT, [Written("p1", START, START, 0.5)])
    at = START + FLOAT.look_back + timedelta(microseconds=microseconds)
    assert retrieved(servers, FLOAT, [("p1", at)], Terms()) == [None if microseconds > 0 else 0.5]
